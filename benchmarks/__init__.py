"""Timings of lstm_sym beside JAX and PyTorch, each beside its accuracy: ``make benchmark``."""
