"""How strongly each path acts in a step: norms of its one-step Jacobian along a trajectory."""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_sym import checks
from lstm_sym.flow import wide
from lstm_sym.flow.chains import CHUNK, chain
from lstm_sym.flow.norms import NORMS, frobenius_norm, spectral_norm
from lstm_sym.functions import Array
from lstm_sym.kernels.passages import path_plan
from lstm_sym.shares.runs import kernel_run


def path_norms(trajectory: Any, of: str = "state", wrt: str = "state", norm: str = "spectral") -> dict[str, Array]:
    """Log norms of every path's one-step Jacobian ∂of_t/∂wrt_{t−1} at each step, by label: (T, ...) each.

    >>> import lstm_sym as ls, numpy as np
    >>> from lstm_sym.shares import path_norms
    >>> kernel = ls.Kernel(ls.LSTM)
    >>> orbit = ls.run(kernel, kernel.parameters(hidden=8, inputs=2, rng=0), np.ones((100, 2)))
    >>> {label: norms[-1].round(2).item() for label, norms in path_norms(orbit).items()}
    {'direct': -0.08, 'f': -0.19, 'i': -1.61, 'g': 0.54, 'o': -1.49}

    of, wrt: "state", or a state; paths between other states have norm 0, −inf as a log.
    norm: "spectral" or "frobenius".

    Raises UnknownNameError for an unknown state or norm, TypeError for what is no run of a kernel.
    """
    run, kernel = kernel_run(trajectory)
    if norm not in NORMS:
        raise checks.unknown_name("norm", norm, NORMS)
    question, plan = chain(run, of, wrt, "full"), path_plan(kernel.cell)
    measure = spectral_norm if norm == "spectral" else frobenius_norm
    found: dict[str, list[Array]] = {label: [] for label in plan.labels}
    for start, stop in run.windows(max(1, CHUNK // (8 * run.size**2 * int(np.prod(run.batch))))):
        values = kernel.evaluate(run.parameters, run.inputs[start:stop], run.before(start, stop))
        with wide.quiet(run.size):
            for label, norms in found.items():
                whole = plan.blocks(label).dense(run.parameters, values, (stop - start, *run.batch))
                block, exponent = wide.normalised(whole[..., question.of[:, None], question.wrt], axis=(-2, -1))
                norms.append(wide.log(measure(block)) + exponent * wide.LOG_2)
    return {label: np.concatenate(norms) for label, norms in found.items()}
