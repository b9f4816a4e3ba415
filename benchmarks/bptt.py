"""The gradient of Σ h² / 2 by all weights of an LSTM, by back-propagation through time.

Ours returns the gradients by inputs and initial state as well. The bound is the products alone: one with the
recurrent weights forwards and one backwards at every step, and one at the end for the weights' gradient. Error: the
largest difference from reverse accumulation in long double, relative to the largest entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks import references
from benchmarks.harness import Bound, Case, Contender, Options, optional, products
from benchmarks.problems import lstm

ORDER = "figo"


def cases(options: Options) -> Iterator[Case]:
    """n = 128, T = 500: one sequence, and 32 at once."""
    steps = 50 if options.quick else 500
    yield _case(128, steps, (), floor=2.0)
    yield _case(128, steps, (32,), floor=1.0)


def _case(n: int, steps: int, batch: tuple[int, ...], floor: float) -> Case:
    problem = lstm(n, steps, batch)
    p, x, kernel = problem.parameters, problem.inputs, problem.kernel
    bound, several = kernel.bind(p), int(np.prod(batch))
    reference = references.kept(references.bptt, p, x)
    shapes = (several, n, 4 * n), (several, 4 * n, n)
    end = products((4 * n, steps * several, n))
    along = products(*shapes, times=steps)
    return Case(
        f"n = {n}, T = {steps}, {several} sequence{'s' if batch else ''}",
        [
            Contender("ours", lambda: kernel.gradient(bound, x, loss), read=_ours),
            Contender("torch.nn.LSTM", optional("peers_torch", "bptt", p, x), floor, read=_torch),
            Contender("jax value_and_grad", optional("peers_jax", "bptt", p, x, False), read=_flat),
            Contender("jax, weights after the scan", optional("peers_jax", "bptt", p, x, True), read=_flat),
        ],
        error=lambda found: np.abs(found - reference).max() / np.abs(reference).max(),
        promise=1e-12,
        bound=Bound("its matrix products", lambda: (along(), end())),
    )


def loss(run: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
    """Σ h² / 2 and its derivative."""
    return 0.5 * float(np.sum(run["h"] ** 2)), {"h": run["h"]}


def _ours(found: Any) -> Any:
    parts = [found.parameters[f"{kind}{gate}"] for kind in ("W_h", "W_x", "b_") for gate in ORDER]
    return np.concatenate([part.ravel() for part in parts])


def _flat(found: Any) -> Any:
    return np.concatenate([np.asarray(part).ravel() for part in found[1]])


def _torch(found: Any) -> Any:
    """From torch's order of the gates, i f g o."""
    swapped = []
    for part in found[1]:
        i, f, g, o = np.split(part.numpy(), 4)
        swapped += [f.ravel(), i.ravel(), g.ravel(), o.ravel()]
    return np.concatenate(swapped)
