"""Activations: SymPy functions that know their slope, their closed form and a stable numeric form.

An activation's derivative is a function of its own, the *slope* (``sigmoid`` → ``dsigmoid``): it prints in
terms of the activation's value, f⊙(1−f), and computes from the pre-activation, sigmoid(a)·sigmoid(−a), because
1−f is exactly 0 in floating point long before the slope is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from sympy.utilities.lambdify import lambdify

Array = NDArray[Any]


class Activation(sp.Function):
    """An elementwise activation: ``slope`` is its derivative, a function of the same pre-activation."""

    nargs = 1
    is_extended_real = True
    slope: ClassVar[type[sp.Function]]

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """The slope at the same pre-activation."""
        return self.slope(self.args[0])

    def _eval_evalf(self, prec: int) -> Any:
        return self.closed_form(self.args[0])._eval_evalf(prec)

    @staticmethod
    def closed_form(a: sp.Expr) -> sp.Expr:
        """The activation in elementary functions of SymPy."""
        raise NotImplementedError

    @staticmethod
    def slope_from_value(value: sp.Expr) -> sp.Expr:
        """The slope as an expression in the activation's own value."""
        raise NotImplementedError


class Slope(sp.Function):
    """The derivative of an activation; ``of`` is that activation."""

    nargs = 1
    is_extended_real = True
    of: ClassVar[type[Activation]]

    @property
    def from_value(self) -> sp.Expr:
        """The slope in terms of the activation's value, f⊙(1−f)."""
        return self.of.slope_from_value(self.of(self.args[0]))

    def doit(self, **hints: Any) -> sp.Expr:
        """The slope in terms of the activation's value."""
        return self.from_value

    @staticmethod
    def closed_form(a: sp.Expr) -> sp.Expr:
        """The slope in elementary functions of SymPy, in a form without cancellation."""
        raise NotImplementedError

    def _eval_evalf(self, prec: int) -> Any:
        return self.closed_form(self.args[0])._eval_evalf(prec)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """The second derivative: d/da of slope(value(a)) by the chain rule."""
        a, v = self.args[0], sp.Dummy(real=True)
        return sp.diff(self.of.slope_from_value(v), v).subs(v, self.of(a)) * self


class dsigmoid(Slope):
    """σ′(a) = σ(a)(1 − σ(a)) = σ(a)σ(−a)."""

    @staticmethod
    def closed_form(a: sp.Expr) -> sp.Expr:
        """1/((1 + e^−a)(1 + e^a))."""
        return 1 / ((1 + sp.exp(-a)) * (1 + sp.exp(a)))


class sigmoid(Activation):
    """The logistic function σ(a) = 1/(1 + e^−a), range (0, 1)."""

    slope = dsigmoid

    @staticmethod
    def closed_form(a: sp.Expr) -> sp.Expr:
        """1/(1 + e^−a)."""
        return 1 / (1 + sp.exp(-a))

    @staticmethod
    def slope_from_value(value: sp.Expr) -> sp.Expr:
        """f(1 − f)."""
        return value * (1 - value)


class dtanh(Slope):
    """tanh′(a) = 1 − tanh²(a) = 1/cosh²(a)."""

    @staticmethod
    def closed_form(a: sp.Expr) -> sp.Expr:
        """4/(e^a + e^−a)²."""
        return 4 / (sp.exp(a) + sp.exp(-a)) ** 2


class tanh(Activation):
    """The hyperbolic tangent, range (−1, 1)."""

    slope = dtanh

    @staticmethod
    def closed_form(a: sp.Expr) -> sp.Expr:
        """(e^a − e^−a)/(e^a + e^−a)."""
        return (sp.exp(a) - sp.exp(-a)) / (sp.exp(a) + sp.exp(-a))

    @staticmethod
    def slope_from_value(value: sp.Expr) -> sp.Expr:
        """1 − g²."""
        return 1 - value**2


class positive(sp.Function):
    """The indicator [v > 0]: 1 where v > 0, else 0."""

    nargs = 1
    is_extended_real = True

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """Zero almost everywhere."""
        return sp.S.Zero

    @classmethod
    def eval(cls, v: sp.Expr) -> sp.Expr | None:
        """1 or 0 where the argument is a number."""
        return sp.Integer(bool(v > 0)) if v.is_number and v.is_comparable else None


class drelu(Slope):
    """relu′(a) = [a > 0]; 0 at a = 0."""

    @staticmethod
    def closed_form(a: sp.Expr) -> sp.Expr:
        """[a > 0]."""
        return positive(a)


class relu(Activation):
    """The rectifier max(a, 0)."""

    slope = drelu

    @staticmethod
    def closed_form(a: sp.Expr) -> sp.Expr:
        """max(a, 0)."""
        return sp.Max(a, 0)

    @staticmethod
    def slope_from_value(value: sp.Expr) -> sp.Expr:
        """[h > 0]."""
        return positive(value)


class dlogsigmoid(Slope):
    """(log σ)′(a) = 1 − σ(a) = σ(−a)."""

    @staticmethod
    def closed_form(a: sp.Expr) -> sp.Expr:
        """1/(1 + e^a)."""
        return 1 / (1 + sp.exp(a))


class logsigmoid(Activation):
    """log σ(a) = −log(1 + e^−a), range (−∞, 0): the logarithm of a gate, as exact as the gate at any a."""

    slope = dlogsigmoid

    @staticmethod
    def closed_form(a: sp.Expr) -> sp.Expr:
        """−log(1 + e^−a)."""
        return -sp.log(1 + sp.exp(-a))

    @staticmethod
    def slope_from_value(value: sp.Expr) -> sp.Expr:
        """1 − e^l."""
        return 1 - sp.exp(value)


class maximum(sp.Function):
    """The larger of two, max(a, b); at a tie it follows b."""

    nargs = 2
    is_extended_real = True

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """[a − b > 0] with respect to a, and 1 − [a − b > 0] with respect to b."""
        larger = positive(self.args[0] - self.args[1])
        return larger if argindex == 1 else 1 - larger

    def _eval_evalf(self, prec: int) -> Any:
        return sp.Max(*self.args)._eval_evalf(prec)


def identity(a: sp.Expr) -> sp.Expr:
    """The linear activation: a itself."""
    return a


for _activation in (sigmoid, tanh, relu, logsigmoid):
    _activation.slope.of = _activation

#: The functions that an equation may call, by name.
FUNCTIONS: Mapping[str, Callable[[sp.Expr], sp.Expr]] = {
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": relu,
    "logsigmoid": logsigmoid,
    "identity": identity,
    "exp": sp.exp,
    "log": sp.log,
    "sqrt": sp.sqrt,
    "sin": sp.sin,
    "cos": sp.cos,
    "step": positive,
    "max": maximum,
}

#: How many arguments those take that take more than one.
ARGUMENTS: Mapping[str, int] = {"max": 2}


def slopes_from_values(expression: sp.Expr, names: Mapping[sp.Expr, sp.Symbol]) -> sp.Expr:
    """``expression`` with every slope written through its activation's value.

    ``names`` maps an activation, sigmoid(a_f), to the symbol of the gate that it defines, f.
    """
    slopes = {slope: slope.from_value.xreplace(names) for slope in expression.atoms(Slope)}
    return expression.xreplace(slopes).xreplace(names)


# --- numbers: the same functions on arrays, real or complex, accurate where they saturate -----------------------
#
# Each takes an array ``a`` and, like a ufunc, where to put the result.  The exponentials may underflow, rightly:
# who calls these in a loop sets np.errstate(under="ignore") once; NUMPY_FORMS are the same with it set inside.

#: Entries from which on a few passes of vectorised exponentials are faster than SciPy's loop over one.
LARGE = 2048


def _decay(a: Array, out: Array | None = None) -> Array:
    """e^−|a|; on complex numbers the analytic continuation of the real one, for complex steps."""
    e = np.abs(a, out=out) if a.dtype.kind != "c" else np.multiply(a, np.copysign(1.0, a.real), out=out)
    e = np.asarray(e)  # of one number NumPy makes a scalar, which nothing can be written to
    np.negative(e, out=e)
    return np.exp(e, out=e)


@cache
def _expit() -> Callable[..., Array]:
    """SciPy's σ, imported where numbers are first asked for: deriving does without SciPy."""
    from scipy.special import expit

    form: Callable[..., Array] = expit
    return form


def _sigmoid(a: Array, out: Array | None = None) -> Array:
    """σ(a) = e^min(a, 0) / (1 + e^−|a|), elementwise; correctly small for a → −∞, no overflow at any a."""
    if a.dtype.kind == "c":
        e = _decay(a)
        return np.asarray(np.divide(np.where(a.real < 0, e, 1.0), 1.0 + e, out=out))
    if a.size < LARGE:
        return _expit()(a, out=out)
    size = np.abs(a)
    out = np.subtract(a, size, out=out)
    out *= 0.5
    np.exp(out, out=out)
    e = np.exp(np.negative(size, out=size), out=size)
    e += 1.0
    out /= e
    return out


def _dsigmoid(a: Array, out: Array | None = None) -> Array:
    """σ′(a) = e^−|a| / (1 + e^−|a|)², elementwise."""
    e = _decay(a, out)
    square = e + 1.0
    square *= square
    e /= square
    return e


def _dtanh(a: Array, out: Array | None = None) -> Array:
    """tanh′(a) = (2e^−|a| / (1 + e^−2|a|))², elementwise; 0 only where 4e^−2|a| is below the smallest double."""
    e = _decay(a, out)
    sum_of_squares = e * e
    sum_of_squares += 1.0
    e /= sum_of_squares
    e *= 2.0
    e *= e
    return e


def _relu(a: Array, out: Array | None = None) -> Array:
    """max(a, 0), elementwise; on complex numbers by the sign of the real part."""
    if a.dtype.kind == "c":
        return np.multiply(a, a.real > 0, out=out)
    return np.maximum(a, 0, out=out)


def _positive(a: Array, out: Array | None = None) -> Array:
    """[a > 0] as 0 or 1 in the real dtype of a, elementwise."""
    found = np.empty(a.shape, a.real.dtype) if out is None else out
    np.greater(a.real, 0, out=found)
    return found


def _logsigmoid(a: Array, out: Array | None = None) -> Array:
    """log σ(a) = min(a, 0) − log(1 + e^−|a|), elementwise."""
    e = _decay(a)
    below = np.multiply(a, a.real < 0)
    return np.asarray(np.subtract(below, np.log1p(e, out=e), out=out))


def _dlogsigmoid(a: Array, out: Array | None = None) -> Array:
    """σ(−a), elementwise."""
    return _sigmoid(np.negative(a), out=out)


def _maximum(a: Array, b: Array) -> Array:
    """The larger of two, elementwise; of complex numbers the one with the larger real part."""
    return np.where(np.real(a) > np.real(b), a, b)


#: What generated code calls, by name.
FORMS: Mapping[str, Callable[..., Array]] = {
    "sigmoid": _sigmoid,
    "dsigmoid": _dsigmoid,
    "tanh": np.tanh,
    "dtanh": _dtanh,
    "relu": _relu,
    "drelu": _positive,
    "positive": _positive,
    "logsigmoid": _logsigmoid,
    "dlogsigmoid": _dlogsigmoid,
    "maximum": _maximum,
}


def _quiet(form: Callable[..., Array]) -> Callable[..., Array]:
    """``form`` of anything that is an array to NumPy; no argument makes it complain."""

    def quiet(*arguments: Any) -> Array:
        arrays = [np.multiply(a, 1.0) for a in arguments]
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        with np.errstate(under="ignore"):
            return form(*map(np.atleast_1d, arrays)).reshape(shape)

    quiet.__doc__ = form.__doc__
    return quiet


#: The same for calls from elsewhere: of numbers, lists or arrays, and without floating-point warnings.
NUMPY_FORMS: Mapping[str, Callable[..., Array]] = {name: _quiet(form) for name, form in FORMS.items()}

#: Names with a meaning in equations or generated code; nothing in a cell may be called so.
RESERVED = frozenset(FUNCTIONS) | frozenset(NUMPY_FORMS) | {"state", "numpy", "initial", "hidden", "diag"}

Definitions = Sequence[tuple[sp.Symbol, sp.Expr]]


def compiled(
    name: str, arguments: Sequence[str], definitions: Definitions, results: Sequence[sp.Symbol]
) -> tuple[Callable[..., tuple[Array, ...]], str]:
    """A vectorised NumPy function of ``arguments`` that computes ``definitions`` in order and returns ``results``.

    Returns the function and its source text; the definitions are the lines of its body.
    """
    function = lambdify(
        [sp.Symbol(argument, real=True) for argument in arguments],
        tuple(results),
        modules=[dict(FORMS), "numpy"],
        cse=lambda expressions: (list(definitions), expressions),
        docstring_limit=0,
    )
    return function, inspect.getsource(function).replace("_lambdifygenerated", name).rstrip()
