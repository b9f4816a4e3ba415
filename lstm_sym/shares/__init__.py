"""Which path carries what share of a gradient, at each step and lag along a trajectory.

>>> import lstm_sym as ls, numpy as np
>>> kernel = ls.Kernel(ls.LSTM)
>>> p = kernel.parameters(hidden=16, inputs=4, rng=0)
>>> ls.path_shares(ls.run(kernel, p, np.random.default_rng(1).standard_normal((1000, 4))), "c", "c")
share of ∂c_T/∂c_{T−k} at lag k =                 1        10       100      1000
directly all the way                         1.0000    0.4629    0.0000    0.0000
first through the forget gate f              0.0000    0.1119    0.1052   -0.0108
first through the input gate i               0.0000    0.1276    0.0252   -0.0015
first through the candidate g                0.0000    0.3049    0.8440    1.0042
first through the output gate o              0.0000   -0.0074    0.0256    0.0081
log10 of its norm                              0.45     -0.81     -9.27   -101.66
log10 of the direct path's                     0.45     -0.96    -13.63   -143.16
share of the step from lag k−1 to k alone
directly                                     0.8550    0.7530    0.8145    0.7620
through the forget gate f                    0.0109    0.0160    0.0054    0.0000
through the input gate i                     0.0436    0.0077    0.0457    0.0047
through the candidate g                      0.0905    0.2186    0.1323    0.2345
through the output gate o                    0.0000    0.0047    0.0021   -0.0012
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from lstm_sym import checks
from lstm_sym.flow import Trajectory, wide
from lstm_sym.flow.chains import Chain, chain
from lstm_sym.flow.system import Progress
from lstm_sym.functions import Array
from lstm_sym.kernels import Kernel
from lstm_sym.kernels.passages import Passages, PathPlan, path_plan
from lstm_sym.shares.gains import path_norms
from lstm_sym.shares.relay import Relay
from lstm_sym.shares.results import PathShares
from lstm_sym.shares.runs import kernel_run

__all__ = ["PathShares", "path_norms", "path_shares"]

PATHS = ("full", "total")
#: Bytes of parts held at a time, and steps at most.
CHUNK, LONGEST = 8 * 2**20, 1024


def path_shares(
    trajectory: Any,
    of: str = "state",
    wrt: str = "state",
    path: str = "full",
    *,
    cotangent: Any = None,
    lags: int | None = None,
    progress: Progress | None = None,
) -> PathShares:
    """Which path carries what share of the gradient ∂of_T/∂wrt_{T−k}, at every lag k = 1 … T.

    >>> import lstm_sym as ls, numpy as np
    >>> kernel = ls.Kernel(ls.LSTM)
    >>> orbit = ls.run(kernel, kernel.parameters(hidden=16, inputs=4, rng=0), np.eye(4)[np.arange(200) % 4])
    >>> found = ls.path_shares(orbit, "c", "c")
    >>> found.labels
    ('direct', 'f', 'i', 'g', 'o')
    >>> found["direct"][[0, 9, 19]].round(3)
    array([1.   , 0.165, 0.003])

    With J = D + Σ J_p, D the direct path's and J_p path p's one-step Jacobian (``paths(cell, "state", "state")``,
    blocks taken together), G_k = G_{k−1} J splits into what went directly all the way, ∏ D, and what first left the
    direct path by p:  G_k^p = G_{k−1} J_p + G_{k−1}^p D.  A share is ⟨G^p, G⟩ / ‖G‖², Frobenius: signed, and their
    sum is 1. Path p "passes on" ⟨G_{k−1} J_p, G_k⟩ / ‖G_k‖² of the gradient by the whole state in one step.

    Args:
        trajectory: a run of a ``Kernel``, from ``run``; any batch axes.
        of, wrt: "state", or a state.
        path: "full", or "total" with wrt's own same-step effect on the other states: see ``gradient_norms``. That
            effect counts for the path by which it goes on, for an LSTM the gate that reads h.
        cotangent: (..., n_of), the gradient of a loss by of_T, and G its back-propagation; None for all of ``of``,
            n_of rows, as norms take it.
        lags: how far to go back; None for all the way. Time is O(lags).
        progress: called with (steps done, steps in all) after every stretch of steps.

    Returns:
        A ``PathShares``. The direct part has exponents of its own: one of e^−10000 still has its norm. Shares are
        nan where the gradient is zero, or where its parts cancel to 12 digits.

    Raises:
        UnknownNameError: an unknown state or path.
        TypeError, ValueError: no run of a kernel, one that is read only once, a cotangent of another shape.
    """
    run, kernel = kernel_run(trajectory)
    if path not in PATHS:
        raise checks.unknown_name("path", path, PATHS)
    question = chain(run, of, wrt, path)
    steps = len(run) if lags is None else checks.integer("lags", lags)
    if not 1 <= steps <= len(run):
        raise ValueError(f"lags = {lags}: expected from 1 to {len(run)}, the steps of the run.")
    plan = path_plan(kernel.cell)
    cotangents = _cotangents(cotangent, question, run)
    relay = Relay(plan, run.parameters, question.of, question.wrt, int(np.prod(run.batch)), cotangents)
    found = list(_marched(kernel, plan, question, relay, steps, progress))
    arrays = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    return PathShares(of, wrt, path, plan.labels, plan.titles, **arrays)


def _cotangents(cotangent: Any, question: Chain, run: Trajectory) -> Array | None:
    """The cotangents, (members, n_of), or None."""
    if cotangent is None:
        return None
    given, shape = checks.finite("cotangent", cotangent), (*run.batch, len(question.of))
    if given.dtype.kind == "c" or given.ndim == 0 or given.shape[-1] != shape[-1]:
        raise ValueError(f"cotangent has shape {given.shape}: expected real numbers, {shape}, or one for all.")
    try:
        return np.array(np.broadcast_to(given, shape), dtype=np.float64).reshape(-1, shape[-1])
    except ValueError:
        raise ValueError(f"cotangent has shape {given.shape}: expected {shape}, or one for all.") from None


def _marched(
    kernel: Kernel, plan: PathPlan, question: Chain, relay: Relay, steps: int, progress: Progress | None
) -> Iterator[dict[str, Array]]:
    """The arrays of ``PathShares`` for one stretch of steps after another, from the last step backwards."""
    run = question.trajectory
    assert isinstance(run, Trajectory)
    total, width = len(run), max(1, min(LONGEST, CHUNK // (8 * math.prod(relay.shape))))
    for stop in range(total, total - steps, -width):
        start = max(total - steps, stop - width)
        values = kernel.evaluate(run.parameters, run.inputs[start:stop], run.before(start, stop))
        passages = Passages(plan, run.parameters, values, (stop - start, *run.batch))
        effects = question.effects(start, stop)
        if effects is not None:
            effects = effects.reshape(stop - start, relay.shape[1], *effects.shape[-2:])
        with wide.quiet(run.size):
            found = relay.back(passages, stop - start, effects)
        yield {k: array.reshape(len(array), *run.batch, *array.shape[2:]) for k, array in found.items()}
        if progress is not None:
            progress(total - start, steps)
