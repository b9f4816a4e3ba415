"""The index page of a folder of figures: one HTML file with everything in it."""

from lstm_sym.atlas.page import index

__all__ = ["index"]
