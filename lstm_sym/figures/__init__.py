"""Plots of gradient flow: functions that take data and an Axes and return the Axes, in one style."""

from lstm_sym.figures.clouds import plot_eigenvalues
from lstm_sym.figures.forecast import plot_forecast
from lstm_sym.figures.learning import plot_learning
from lstm_sym.figures.legends import legend, legend_below
from lstm_sym.figures.maps import plot_phase_diagram
from lstm_sym.figures.norms import plot_gradient_norms, plot_singular_values
from lstm_sym.figures.points import plot_points
from lstm_sym.figures.saving import save_figure
from lstm_sym.figures.shares import plot_path_shares
from lstm_sym.figures.spectra import plot_lyapunov_spectra
from lstm_sym.figures.statistics import plot_by_index, plot_deviations, plot_distribution
from lstm_sym.figures.theme import COLUMN, PAGE, colours, faint, guide, ink, panels, style, styled

__all__ = [
    "COLUMN",
    "PAGE",
    "colours",
    "faint",
    "guide",
    "ink",
    "legend",
    "legend_below",
    "panels",
    "plot_by_index",
    "plot_deviations",
    "plot_distribution",
    "plot_eigenvalues",
    "plot_forecast",
    "plot_gradient_norms",
    "plot_learning",
    "plot_lyapunov_spectra",
    "plot_path_shares",
    "plot_phase_diagram",
    "plot_points",
    "plot_singular_values",
    "save_figure",
    "style",
    "styled",
]
