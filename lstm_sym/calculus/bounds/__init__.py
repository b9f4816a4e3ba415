"""Bounds of the norms of Jacobians, from the ranges of gates and states."""
