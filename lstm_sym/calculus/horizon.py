"""T-step derivatives as products of one-step Jacobians: the formulas whose numbers ``flow`` computes."""

from __future__ import annotations

from dataclasses import dataclass

from lstm_sym.calculus import text
from lstm_sym.calculus.derive import jacobian, within_step
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.values import Jacobian
from lstm_sym.cell import Cell, a_cell
from lstm_sym.checks import unknown_name

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

    def latex(self) -> str:
        r"""The whole equation in LaTeX: \frac{\partial h_T}{\partial h_{T-k}} = \prod_{t=T}^{T-k+1} …."""
        d = r"\mathrm{d}" if self.path == "total" else r"\partial"
        left = rf"\frac{{{d} {self._at_time(self.of, 'T')}}}{{{d} {self._at_time(self.wrt, '{T-k}')}}}"
        if self.path == "direct":
            left = rf"\left.{left}\right|_{{\mathrm{{direct}}}}"
        inner = f"{self._letter}_t" if isinstance(self.factor, JacobianTable) else text.latex_sum(self.factor)
        inner = rf"\bigl({inner}\bigr)" if " + " in inner else inner
        whole = r"\prod_{t=T}^{T-k+1} " + inner
        block = rf"\Bigl[{whole}\Bigr]"
        right = f"{block}_{{{self.of}{self.wrt}}}" if self.is_block else whole
        for state, effect in self.same_step.items():
            earlier = text.latex_sum(effect, now="T-k")
            right += rf" + {block}_{{{self.of}{state}}}\, {earlier}"
        return f"{left} = {right}"

    @property
    def _letter(self) -> str:
        return "D" if self.path == "direct" else "J"

    def _at_time(self, name: str, time: str) -> str:
        if name != "state":
            return f"{name}_{time}"
        return "(" + ", ".join(f"{state}_{time}" for state in self.cell.states) + ")"

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

    __repr__ = __str__


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
