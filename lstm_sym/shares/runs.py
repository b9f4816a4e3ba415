"""What paths can be followed along: a run of a kernel, at hand from its end to its start."""

from __future__ import annotations

from typing import Any

from lstm_sym.flow import Trajectory
from lstm_sym.flow.trajectories import a_run
from lstm_sym.kernels import Kernel


def kernel_run(value: Any) -> tuple[Trajectory, Kernel]:
    """``value`` and its kernel, or TypeError for what is no run of one, ValueError for one that is read once."""
    run = a_run(value)
    if not isinstance(run.system, Kernel):
        raise TypeError(f"a run of {type(run.system).__name__} has no equations: expected a run of a Kernel.")
    run.must_go_back("the gradient's way back")
    assert isinstance(run, Trajectory)
    return run, run.system
