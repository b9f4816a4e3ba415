r"""``latex``: LaTeX of any value, by itself or as a document for pdflatex."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import sympy as sp

from lstm_sym.cell import Cell
from lstm_sym.notation import LATEX, STANDARD, Notation, Style, a_notation, at_time, lag_of, name_of, scalar
from lstm_sym.typeset.display import displayed
from lstm_sym.typeset.pages import document


def latex(
    value: Any,
    equation: bool = False,
    label: str | None = None,
    standalone: bool = False,
    notation: Notation = STANDARD,
) -> str:
    r"""LaTeX of a cell, a derivative, a product over a horizon, any other value, or a per-unit expression.

    >>> import lstm_sym as ls
    >>> print(ls.latex(ls.jacobian(ls.LSTM, "c", "c")))
    \operatorname{diag}(f_t)

    Args:
        value: a ``Cell`` gives its forward equations, one labelled ``align``; other values give a formula. Whatever
            has a method ``latex(equation=, notation=)`` writes itself.
        equation: the left-hand side too.
        label: for a cell, the prefix of the labels eq:<label>:<gate>; '' leaves them out.
        standalone: a whole document around it, for pdflatex. Needs only amsmath.
        notation: how the reader's paper writes its equations, a ``Notation``.

    Raises:
        TypeError: a value that has no LaTeX here. Text is never parsed.
    """
    a_notation(notation)
    if isinstance(value, Cell):
        text = value.latex(label, notation)
    elif isinstance(value, sp.Expr) and not isinstance(value, sp.MatrixExpr):
        text = scalar(value, _style(notation))
    elif isinstance(value, (sp.MatrixBase, sp.MatrixExpr)):
        text = str(sp.latex(value))
    elif callable(getattr(value, "latex", None)) and not isinstance(value, (type, ModuleType)):
        text = value.latex(notation=notation, **({"equation": True} if equation or standalone else {}))
    else:
        raise TypeError(
            f"no LaTeX for a {type(value).__name__}: expected a Cell, a Jacobian, a product or a symbol."
        )
    if not standalone:
        return text
    return document(displayed(value, text, notation))


def _style(notation: Notation) -> Style:
    """The style of expressions that belong to no cell: their names carry their time."""

    def symbol(name: str) -> str:
        base, lag = lag_of(name)
        return (name_of(base).bold() if notation.bold else name_of(base)).write(at_time("t", lag))

    return replace(LATEX, symbol=symbol, times=r" \odot " if notation.product == "odot" else r" \circ ")
