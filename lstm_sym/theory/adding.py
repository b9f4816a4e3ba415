"""The adding problem of Hochreiter & Schmidhuber (1997): what can be had with a memory of so many steps."""

from __future__ import annotations

from lstm_sym.checks import integer


def error_of_memory(memory: int, steps: int) -> float:
    """The least mean square error of an observer that recalls the last ``memory`` of ``steps`` inputs, no others.

    One of the numbers, from U(0, 1), is marked in each half (``training.adding_problem``); the target is the sum of
    the two.  A marked number out of reach is best replaced by 1/2, which costs its variance, 1/12: in all
    (1 − memory/steps)/6 for an even number of steps.  No memory at all: 1/6, the error of predicting the mean.

    >>> [round(error_of_memory(memory, 100), 4) for memory in (0, 50, 100)]
    [0.1667, 0.0833, 0.0]

    Raises ValueError for fewer than 2 steps, or a memory outside 0 … steps.
    """
    if integer("steps", steps) < 2:
        raise ValueError(f"steps = {steps}: expected at least 2.")
    if not 0 <= integer("memory", memory) <= steps:
        raise ValueError(f"memory = {memory}: expected an integer from 0 to steps = {steps}.")
    older, newer = steps // 2, steps - steps // 2
    lost = max(0, newer - memory) / newer + min(older, steps - memory) / older
    return lost / 12
