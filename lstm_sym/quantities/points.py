"""What sweeps compute at one point: exponents, gradient reach and spectral radius of one random network.

Each draws a network of its own from ``rng``, runs it and returns numbers. They are plain functions of a module, so
that worker processes find them, and take every parameter of the cell by name: ``b_f=1.0``.

    weights   W_h* ~ N(0, gain²/hidden), W_x* ~ N(0, 1/inputs), biases 0 and b_f = 1, but for what is given by name
    inputs    white, Gaussian, of standard deviation ``input_strength``; 0 for an autonomous network
    start     every state of every unit ~ N(0, initial²)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_sym import cells, checks
from lstm_sym.cell import Cell
from lstm_sym.flow import Trajectory, gradient_norms, lyapunov_spectrum, run
from lstm_sym.kernels import Kernel
from lstm_sym.kernels.parameters import state_parameters

Array = NDArray[np.float64]

#: The longest run of one point, in steps.
LONGEST = 10_000_000


def leading_exponent(cell: str | Cell = "LSTM", *, rng: Any = None, **options: Any) -> float:
    """The leading Lyapunov exponent, in nats per step: ``leading_exponents`` with k = 1, as one number.

    >>> leading_exponent("RNN", hidden=32, gain=0.0, rng=0)
    -inf
    >>> round(leading_exponent("LSTM", hidden=32, gain=6.0, b_f=2.0, rng=0), 2)
    0.06
    """
    if "k" in options:
        raise TypeError("leading_exponent takes no k: it is 1. leading_exponents gives more of them.")
    return float(leading_exponents(cell, rng=rng, **options)[0])


def leading_exponents(
    cell: str | Cell = "LSTM",
    *,
    hidden: int = 64,
    inputs: int = 1,
    steps: int = 1000,
    transient: int = 200,
    k: int = 1,
    gain: float = 1.0,
    input_strength: float = 0.0,
    initial: float = 0.1,
    accuracy: float | None = None,
    rng: Any = None,
    **parameters: Any,
) -> Array:
    """The k leading Lyapunov exponents, (k,), in nats per step, descending.

    >>> leading_exponents("LSTM", hidden=8, W_hf=0, W_hi=0, W_hg=0, W_ho=0, b_f=3.0, k=2, rng=0).round(6)
    array([-0.048587, -0.048587])

    Args:
        cell: the name of a shipped cell, or a ``Cell``.
        hidden, inputs: how many units, and how many inputs.
        steps, transient: how many steps count, and how many come before them.
        k, accuracy: as for ``ls.lyapunov_spectrum``.
        gain, input_strength, initial: see above.
        rng: a seed or a numpy Generator: weights, inputs and start come from it, in this order.
        **parameters: weights and biases by name, each a number for all entries or an array.

    Raises:
        UnknownNameError: a name that is no option and no parameter of the cell.
        ValueError, TypeError: a number out of range, or no number.
        StateNotFiniteError: the run left the range of doubles.
    """
    transient = steps_of("transient", transient, least=0)
    drive = _Drive(transient + steps_of("steps", steps), input_strength, initial)
    trajectory = _orbit(leading_exponents, cell, (hidden, inputs, gain), drive, rng, parameters)
    return np.asarray(lyapunov_spectrum(trajectory, k=k, transient=transient, accuracy=accuracy))


def gradient_reach(
    cell: str | Cell = "LSTM",
    *,
    lags: int | Sequence[int] = (1, 10, 100),
    of: str = "state",
    wrt: str = "state",
    path: str = "full",
    hidden: int = 64,
    inputs: int = 1,
    transient: int = 200,
    gain: float = 1.0,
    input_strength: float = 0.0,
    initial: float = 0.1,
    rng: Any = None,
    **parameters: Any,
) -> Array:
    """log ‖∂of_T/∂wrt_{T−k}‖ in nats at the lags k that are asked for, (lags,); one lag gives one number.

    >>> gradient_reach("LSTM", of="c", wrt="c", path="direct", W_hf=0.0, b_f=3.0, hidden=8, rng=0).round(4)
    array([-0.0486, -0.4859, -4.8587])

    of, wrt, path: as for ``ls.gradient_norms``; everything else, and what is raised, as for ``leading_exponents``.
    The run has ``transient`` steps and as many more as the longest lag.
    """
    wanted = np.array([steps_of("lags", lag) for lag in np.atleast_1d(np.asarray(lags, dtype=object))])
    if not wanted.size:
        raise ValueError("lags is empty: expected at least one lag, an integer from 1.")
    drive = _Drive(int(wanted.max()) + steps_of("transient", transient, least=0), input_strength, initial)
    trajectory = _orbit(gradient_reach, cell, (hidden, inputs, gain), drive, rng, parameters)
    found = np.asarray(gradient_norms(trajectory, of, wrt, path=path))[wanted - 1]
    return np.asarray(found[0] if np.ndim(lags) == 0 else found)


def zero_state_exponent(
    cell: str | Cell = "LSTM",
    *,
    hidden: int = 64,
    inputs: int = 1,
    gain: float = 1.0,
    rng: Any = None,
    **parameters: Any,
) -> float:
    """log of the spectral radius of the state Jacobian at the zero state, in nats per step; no input.

    Where zero is a fixed point, that is the leading exponent at it: at large N it passes 0 at the critical gain of
    ``ls.zero_state``. The same ``rng`` gives the same network as in ``leading_exponents``. −inf: every
    perturbation is gone after at most S steps.

    >>> zero_state_exponent("LSTM", hidden=16, gain=0.2, b_f=2.0, rng=0) < 0
    True
    >>> zero_state_exponent("LSTM", hidden=16, gain=1.0, b_f=6.0, rng=0) > 0
    True
    """
    kernel, bound = network(zero_state_exponent, cell, hidden, inputs, gain, rng, parameters)
    zero = np.zeros(max(block.stop for block in kernel.blocks(bound).values()))
    eigenvalues = np.linalg.eigvals(kernel.jacobian(bound, np.zeros(inputs), zero))
    with np.errstate(divide="ignore"):
        return float(np.log(np.abs(eigenvalues).max()))


#: The quantities by the names that the command line has for them.
QUANTITIES: Mapping[str, Callable[..., Any]] = {
    "exponent": leading_exponent,
    "exponents": leading_exponents,
    "reach": gradient_reach,
    "zero-state": zero_state_exponent,
}


def options_of(quantity: Callable[..., Any]) -> tuple[str, ...]:
    """The options of a quantity by name, besides the cell, its parameters and ``rng``.

    >>> options_of(zero_state_exponent)
    ('hidden', 'inputs', 'gain')
    """
    if quantity is leading_exponent:
        return tuple(name for name in options_of(leading_exponents) if name != "k")
    named = inspect.signature(quantity).parameters.values()
    return tuple(p.name for p in named if p.kind is p.KEYWORD_ONLY and p.name != "rng")


def parameters_of(cell: str | Cell) -> tuple[str, ...]:
    """The weights, biases and constants that the states of a cell depend on, and sizes besides ``hidden``.

    >>> parameters_of("RNN")
    ('W_xh', 'W_hh', 'b_h')
    """
    found = a_cell(cell)
    sizes = {found.sizes[state] for state in found.states} - {"hidden"}
    return (*state_parameters(found), *sorted(sizes))


def network(
    quantity: Callable[..., Any],
    cell: str | Cell,
    hidden: int,
    inputs: int,
    gain: float,
    rng: Any,
    parameters: Mapping[str, Any],
) -> tuple[Kernel, dict[str, Array]]:
    """The kernel of a cell and the parameters of one random network of it; ``quantity`` is who asks."""
    known = (*options_of(quantity), *parameters_of(cell))
    for name in parameters:
        if name not in known:
            raise checks.unknown_name(f"option or parameter of {a_cell(cell).name}", name, known)
    kernel = _kernel(a_cell(cell))
    return kernel, kernel.parameters(hidden, inputs, rng=checks.generator(rng), gain=gain, **parameters)


@dataclass(frozen=True)
class _Drive:
    """How many steps, the strength of the inputs, and the spread of the start."""

    steps: int
    strength: float
    spread: float


def _orbit(
    quantity: Callable[..., Any],
    cell: str | Cell,
    sizes: tuple[int, int, float],
    drive: _Drive,
    rng: Any,
    parameters: Mapping[str, Any],
) -> Trajectory:
    """A run of one random network; ``sizes``: hidden, inputs, gain."""
    strength = _at_least_zero("input_strength", drive.strength)
    spread = _at_least_zero("initial", drive.spread)
    rng = checks.generator(rng)
    kernel, bound = network(quantity, cell, *sizes, rng, parameters)
    driven: Any = drive.steps
    if strength:
        checks.fits("the inputs", drive.steps, sizes[1])
        driven = strength * rng.standard_normal((drive.steps, sizes[1]))
    size = max(block.stop for block in kernel.blocks(bound).values())
    orbit: Trajectory = run(kernel, bound, driven, initial=spread * rng.standard_normal(size))
    return orbit


def a_cell(cell: str | Cell) -> Cell:
    """The shipped cell of that name, or the cell itself."""
    return cell if isinstance(cell, Cell) else cells.named(cell)


@lru_cache(maxsize=32)
def _kernel(cell: Cell) -> Kernel:
    """One kernel for all points of a sweep: to generate its code takes longer than a short run."""
    return Kernel(cell)


def steps_of(what: str, value: Any, least: int = 1) -> int:
    """``value`` as a number of steps, or TypeError / ValueError."""
    number = checks.integer(what, value)
    if not least <= number <= LONGEST:
        raise ValueError(f"{what} = {number}: expected an integer from {least} to {LONGEST}.")
    return number


def _at_least_zero(what: str, value: Any) -> float:
    number = checks.real_scalar(what, value)
    if number < 0:
        raise ValueError(f"{what} = {number:g}: expected a number of at least 0.")
    return number
