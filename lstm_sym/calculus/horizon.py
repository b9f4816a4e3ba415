"""T-step derivatives as products of one-step Jacobians: the formulas whose numbers ``flow`` computes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lstm_sym.calculus import text
from lstm_sym.calculus.derive import jacobian, within_step
from lstm_sym.calculus.recursions import Recursion, recursion
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.values import Jacobian
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell, a_cell
from lstm_sym.checks import unknown_name
from lstm_sym.notation import STANDARD, Notation, a_notation, unicode_timeless
from lstm_sym.notation.wrapping import in_terminal

HORIZON_PATHS = ("full", "direct", "total")


@dataclass(frozen=True, repr=False)
class HorizonProduct:
    """d of_T / d wrt_{T−k} as an ordered product, the latest step leftmost.

    ``factor`` is the one-step Jacobian under the product sign; ``block`` says that a block of the product is meant.
    """

    cell: Cell
    of: str
    wrt: str
    path: str
    factor: Jacobian | JacobianTable
    times: tuple[str, str, str] = ("T", "T-k", "t")

    def between(self, last: str, first: str, running: str) -> HorizonProduct:
        r"""The same with other times in LaTeX: from ``first`` to ``last``, the factors at ``running``."""
        return replace(self, times=(last, first, running))

    def recursion(self) -> Recursion:
        """The same derivative as a recursion over the steps, with those of the other states where they are coupled.

        >>> import lstm_sym as ls
        >>> ls.horizon_product(ls.RNN, "h", "h").recursion()
        ∂hₜ/∂hₖ = diag(1−hₜ²)·W_hh·∂hₜ₋₁/∂hₖ
        ∂hₖ/∂hₖ = I

        Raises:
            ValueError: the whole state; ask for one of the states.
        """
        if "state" in (self.of, self.wrt):
            raise ValueError(f"a recursion is for states one by one: of and wrt of {', '.join(self.cell.states)}.")
        return recursion(self.cell, self.of, self.wrt, self.path)

    @property
    def is_block(self) -> bool:
        """Whether the formula is a block of a product of larger matrices."""
        return isinstance(self.factor, JacobianTable) and (self.of, self.wrt) != ("state", "state")

    @property
    def same_step(self) -> dict[str, Jacobian]:
        """For path "total": the effect of wrt on the other states of its own step."""
        if self.path != "total" or self.wrt == "state":
            return {}
        others = [state for state in within_step(self.cell, self.wrt) if state != self.wrt]
        return {state: jacobian(self.cell, state, self.cell[self.wrt]) for state in others}

    def latex(self, equation: bool = True, notation: Notation = STANDARD) -> str:
        r"""LaTeX: \frac{\partial h_T}{\partial h_{T-k}} = \prod_{t=T}^{T-k+1} …, always with time indices."""
        writer = Writer(self.cell, a_notation(notation)).timed
        product = self._product(writer)
        block = rf"\Bigl[{product}\Bigr]"
        right = block + self._place(writer, self.wrt) if self.is_block else product
        for state, effect in self.same_step.items():
            effect_then = writer.sum(effect, now=self.times[1])
            factors = [block + self._place(writer, state), effect_then]
            right += " + " + writer.times(*factors)
        return f"{self._left(writer)} = {right}" if equation else right

    def _product(self, writer: Writer) -> str:
        """The product over the steps: the latest leftmost, or rightmost where vectors are rows."""
        last, start, now = self.times
        inner = writer.matrix(self._letter, now)
        if isinstance(self.factor, Jacobian):
            inner = writer.sum(self.factor, now)
            inner = rf"\bigl({inner}\bigr)" if len(self.factor) > 1 else inner
        ends = (f"{start}+1", last) if writer.notation.row else (last, f"{start}+1")
        return rf"\prod_{{{now}={ends[0]}}}^{{{ends[1]}}} {inner}"

    def _left(self, writer: Writer) -> str:
        of, wrt = self._stacked(writer, self.of, self.times[0]), self._stacked(writer, self.wrt, self.times[1])
        left = writer.derivative(of, wrt, total=self.path == "total")
        return rf"\left.{left}\right|_{{\mathrm{{direct}}}}" if self.path == "direct" else left

    def _stacked(self, writer: Writer, name: str, now: str) -> str:
        if name != "state" or len(self.cell.states) == 1:
            return writer.vector(self.cell.states[0] if name == "state" else name, now)
        return "(" + ", ".join(writer.vector(state, now) for state in self.cell.states) + ")"

    def _place(self, writer: Writer, wrt: str) -> str:
        """Which block of the product: of, wrt, written in the order (row, column) of the layout."""
        names = [str(writer.names.table[state]) for state in (self.of, wrt)]
        return f"_{{{''.join(names[::-1] if writer.notation.row else names)}}}"

    @property
    def _letter(self) -> str:
        return "D" if self.path == "direct" else "J"

    def _at_time(self, name: str, time: str) -> str:
        if name != "state":
            return f"{unicode_timeless(name)}_{time}"
        return "(" + ", ".join(f"{unicode_timeless(state)}_{time}" for state in self.cell.states) + ")"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def equation(self) -> str:
        """The equation in Unicode, in one line; J (or D) is the one-step state Jacobian."""
        d = "d" if self.path == "total" else "∂"
        left = f"{d}{self._at_time(self.of, 'T')}/{d}{self._at_time(self.wrt, '{T−k}')}"
        left += "|direct" if self.path == "direct" else ""
        inner = self._letter if isinstance(self.factor, JacobianTable) else text.unicode_sum(self.factor)
        inner = f"({inner})" if " + " in inner else inner
        right = f"[∏ {inner}]_{self.of}{self.wrt}" if self.is_block else f"∏ {inner}"
        for state, effect in self.same_step.items():
            right += f" + [∏ {inner}]_{self.of}{state}·({text.unicode_sum(effect)})_{{T−k}}"
        return f"{left} = {right}"

    def __str__(self) -> str:
        table = f", {self._letter} =\n{self.factor}" if isinstance(self.factor, JacobianTable) else ""
        return f"{self.equation()}   over t = T, …, T−k+1, latest leftmost{table}"

    def __repr__(self) -> str:
        if not isinstance(self.factor, JacobianTable):
            return in_terminal(str(self))
        return f"{in_terminal(str(self).split(chr(10))[0])}\n{self.factor!r}"


def horizon_product(cell: Cell, of: str, wrt: str, path: str = "full") -> HorizonProduct:
    """The formula of d of_T / d wrt_{T−k}, a derivative over k steps.

    >>> import lstm_sym as ls
    >>> ls.horizon_product(ls.RNN, "h", "h")
    ∂h_T/∂h_{T−k} = ∏ diag(1−h′²)·W_hh   over t = T, …, T−k+1, latest leftmost
    >>> ls.horizon_product(ls.LSTM, "c", "c", path="direct")
    ∂c_T/∂c_{T−k}|direct = ∏ diag(f)   over t = T, …, T−k+1, latest leftmost

    Args:
        cell: the cell.
        of: a state or "state".
        wrt: a state or "state".
        path: "full", a block of the product of state Jacobians; "direct", the product of the direct terms;
            "total", "full" with what wrt does to the other states of its own step added.

    Raises:
        UnknownNameError: an unknown state or path.
    """
    cell = a_cell(cell)
    if path not in HORIZON_PATHS:
        raise unknown_name("path", path, HORIZON_PATHS)
    for name in (of, wrt):
        if name not in (*cell.states, "state"):
            raise unknown_name(f"state of {cell.name}", name, (*cell.states, "state"))
    direct = "direct" if path == "direct" else "partial"
    table = jacobian(cell, "state", "state", path=direct)
    closed = of == wrt != "state" and all(table[of, state].is_zero for state in cell.states if state != of)
    return HorizonProduct(cell, of, wrt, path, table[of, of] if closed else table)
