"""How many steps a frame may go before it is factored anew: the error that may be made, and the one to expect."""

from __future__ import annotations

import math
from typing import Any

from lstm_sym import checks

#: States up to this size are factored at every step by default, which costs them little.
SMALL = 64
#: Steps between factorisations, at most: beyond, one costs next to nothing beside the steps.
LONGEST = 64
#: The most that a factorisation after several steps may take of all that is granted.
LARGEST_SHARE = 0.2
#: How much of what is known of the rate at which a frame degrades is replaced at every factorisation.
MEMORY = 0.1
#: What of a step's strain is found again, on average, in the logarithm of the error (LSTMs with n = 64 and 128).
FOUND_AGAIN = 0.85
#: The error may come out this much larger than expected before an interval was not worth trying.
MARGIN = 2.0


def granted(accuracy: Any, usual: float, size: int) -> float:
    """The accuracy asked for, checked; by default the usual one, or, for small states, as fine as it gets (0)."""
    if accuracy is not None:
        return checks.tolerance("accuracy", accuracy)
    return 0.0 if size <= SMALL else usual


class Budget:
    """The rounding error that a march of ``steps`` steps may make in all; what is granted and not used is kept.

    Errors of different factorisations are taken for independent: their squares add up.  Where one repeats the last
    (a fixed point), so does its rounding, and the errors themselves add up.
    """

    def __init__(self, total: float, steps: int) -> None:
        self._largest = LARGEST_SHARE * total
        self._kept = self._largest**2
        self._grant = (total**2 - self._kept) / steps
        self._streak = 0.0
        self.spent = 0.0

    def allowed(self, steps: int) -> float:
        """The error that a factorisation after ``steps`` steps may have."""
        return min(math.sqrt(self._kept + self._grant * steps), self._largest if steps > 1 else math.inf)

    def spend(self, error: float, steps: int, repeated: bool) -> None:
        """Account for a factorisation after ``steps`` steps."""
        before = self._streak if repeated else 0.0
        self._streak = before + error
        square = self._streak**2 - before**2
        self.spent += square
        self._kept = max(0.0, self._kept + self._grant * steps - square)


class Plan:
    """The next interval: as long as the error to be expected after it stays within the budget.

    The logarithm of the error grows by so much a step, which is learnt on the way, and by the strain of the steps
    ahead, where a system can tell that.
    """

    def __init__(self, budget: Budget, rounding: float) -> None:
        self._budget, self._rounding = budget, rounding
        self._rate: float | None = None
        self._longest = 1

    def interval(self, limit: int, strain: list[float]) -> int:
        """Steps to go, 1 … ``limit``; ``strain``: that of the next 1, 2, … steps, empty where it is unknown."""
        longest = min(self._longest, limit)
        if self._rate is None:
            return 1
        for steps in range(longest, 1, -1):
            growth = self._rate * steps + (FOUND_AGAIN * strain[steps - 1] if strain else 0.0)
            if MARGIN * self._rounding * math.exp(min(growth, 700.0)) <= self._budget.allowed(steps):
                return steps
        return 1

    def within(self, budget: Budget) -> Plan:
        """The same knowledge under another budget."""
        plan = Plan(budget, self._rounding)
        plan._rate = self._rate
        return plan

    def failed(self, steps: int) -> None:
        """That was too far."""
        self._longest = max(1, steps // 2)

    def learn(self, error: float, steps: int, strain: float) -> None:
        """What a factorisation after ``steps`` steps has shown."""
        rate = (math.log(max(error / self._rounding, 1.0)) - FOUND_AGAIN * strain) / steps
        self._rate = rate if self._rate is None else self._rate + MEMORY * (rate - self._rate)
        self._longest = min(2 * steps + 1, LONGEST)
