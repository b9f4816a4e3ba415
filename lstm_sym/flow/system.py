"""What flow asks of a system: a step and its Jacobian; everything else is optional and used when present."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lstm_sym import checks

Array = NDArray[np.float64]

#: Called with (steps done, steps in all or None where that is not known).
Progress = Callable[[int, int | None], object]


class System(Protocol):
    """Anything that steps and has a Jacobian, vectorised over leading axes.

    Optional, looked up by name and used when present:

    - ``blocks(parameters) -> dict[str, slice]``: the state's blocks in stacking order;
    - ``prepare(parameters, inputs, initial)``: the three of them validated, with the defaults filled in;
    - ``unroll(parameters, inputs, initial) -> (T, ..., S)``: the loop over ``step``;
    - ``direct(parameters, x, state) -> {(of, wrt): (..., n)}``: its direct part's diagonals;
    - ``within(parameters, x, state, wrt) -> (..., S, n_wrt)``: effect of a new block on all of the new state;
    - ``tangents(parameters, x, state, width)``: the tangent action of many steps, meant for frames of ``width``
      vectors: ``push(t, rows, out)`` is J_t v, ``pull(t, rows, out)`` J_tᵀ u, for rows (..., k, S), and
      ``flops(k)`` what a step costs;
    - ``factors(parameters, x, state) -> (R, L)``: J = L R for steps whose rows are nearly parallel (or None);
    - ``log_determinant(parameters, x, state) -> (...)``: log|det J|, −inf if singular (or None: unknown);
    - ``log_factors(parameters, x, state) -> (log|det J|, least)``, each (...): the same, and the log of the least
      of its factors, by which to tell ill-conditioned steps beforehand (or None);
    - ``gauges(parameters, state)``: directions along which the state may be moved without any effect but that, one
      for each unit: objects with ``places`` in the state, ``vectors`` (..., n) and ``count``;
    - ``units_apart``: whether every state Jacobian is diagonal;
    - ``evaluate(parameters, x, state) -> {name: (..., n)}``: every named quantity of the step.
    """

    def step(self, parameters: Any, x: Any, state: Any, /) -> Any:
        """The state (..., S) after a step from ``state`` (..., S) with input ``x`` (..., m)."""

    def jacobian(self, parameters: Any, x: Any, state: Any, /) -> Any:
        """d step / d state at the state before the step, [out, in], broadcastable to (..., S, S)."""


def blocks(system: System, parameters: Any, size: int) -> dict[str, slice]:
    """The state's blocks by name, "state" (all of it) first."""
    known = {"state": slice(0, size)}
    named = getattr(system, "blocks", None)
    if named is not None:
        known.update(named(parameters))
    return known


def block(system: System, parameters: Any, size: int, what: str, name: object) -> slice:
    """The block called ``name``, or the error that lists the known ones."""
    known = blocks(system, parameters, size)
    if not isinstance(name, str) or name not in known:
        raise checks.unknown_name(f"state block {what} =", name, known)
    return known[name]


def capability(system: System, name: str, purpose: str) -> Any:
    """The optional method ``name``, or ValueError saying what needs it."""
    method = getattr(system, name, None)
    if method is None:
        raise ValueError(f"{purpose} needs {type(system).__name__}.{name}, which this system does not have.")
    return method
