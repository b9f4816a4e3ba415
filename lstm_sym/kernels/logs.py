"""Log-determinants in numbers: a sum of logs, each taken before its factor could underflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import sympy as sp

from lstm_sym.calculus.determinants import LogDeterminant
from lstm_sym.calculus.numbers import Coefficients
from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Elementwise
from lstm_sym.functions import FORMS, Array, dsigmoid, dtanh, sigmoid
from lstm_sym.kernels.parameters import Parameters

log_sigmoid = FORMS["logsigmoid"]


def log_dsigmoid(a: Array) -> Array:
    """log σ′(a) = log σ(a) + log σ(−a)."""
    return log_sigmoid(a) + log_sigmoid(-a)


def log_dtanh(a: Array) -> Array:
    """log tanh′(a) = 2(log 2 − |a| − log(1 + e^−2|a|))."""
    return np.asarray(2.0 * (np.log(2.0) - np.abs(a) - np.log1p(np.exp(-2.0 * np.abs(a)))))


def log_magnitude(a: Array) -> Array:
    """log|a|, −inf for zero."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.abs(a)))


LOG_FORMS: Mapping[type, Callable[[Array], Array]] = {
    sigmoid: log_sigmoid,
    dsigmoid: log_dsigmoid,
    dtanh: log_dtanh,
}


class LogFactors:
    """Σ log|d| + Σ log|det W| of a closed form, as a function of a step's values."""

    def __init__(self, closed: LogDeterminant) -> None:
        self._closed = closed
        owned = [(owner, factor) for owner, (d, _) in enumerate(closed.units) for factor in sp.Mul.make_args(d)]
        self._logs = [(owner, *self._log_form(factor)) for owner, factor in owned]
        self._arguments = Coefficients("factors", [Term((argument,)) for _, _, argument in self._logs])

    @property
    def singular(self) -> bool:
        """Whether the determinant is 0 whatever the numbers, so that it has no factors."""
        return bool(self._closed.singular)

    def _log_form(self, factor: sp.Expr) -> tuple[Callable[[Array], Array], sp.Expr]:
        """(function, argument) whose value is log|factor|; a gate's symbol stands for its activation."""
        node = self._closed.cell.node.get(getattr(factor, "name", ""))
        whole = node.expression if isinstance(node, Elementwise) else factor
        form = LOG_FORMS.get(type(whole))
        return (log_magnitude, factor) if form is None else (form, whole.args[0])

    def __call__(
        self, parameters: Parameters, values: Mapping[str, Array], batch: tuple[int, ...]
    ) -> tuple[Array, Array]:
        """log|det|, and the log of the least diagonal factor over all units, each of shape ``batch``."""
        if self.singular:
            return np.full(batch, -np.inf), np.full(batch, -np.inf)
        numbers = self._arguments(values, parameters)
        total = np.full(batch, sum(parameters.log_determinant(name) for name in self._closed.weights))
        diagonals = [np.zeros((*batch, parameters.sizes[space])) for _, space in self._closed.units]
        for owner, form, argument in self._logs:
            diagonals[owner] += form(np.broadcast_to(numbers[argument], diagonals[owner].shape))
        least = np.zeros(batch)
        for logs in diagonals:
            total = total + logs.sum(axis=-1)
            least = np.minimum(least, logs.min(axis=-1))
        return total, least
