"""``check``: a claimed formula is right, or wrong with the name of the mistake and a counter-example."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp

from lstm_sym.calculus.derive import jacobian
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.values import Jacobian
from lstm_sym.cell import Cell, a_cell
from lstm_sym.checks import unknown_name
from lstm_sym.claims.binding import bound
from lstm_sym.claims.decisions import decide_formula, decide_function
from lstm_sym.claims.formulas import formula
from lstm_sym.claims.functions import Claimed, block_of
from lstm_sym.claims.verdicts import TableVerdict, Verdict
from lstm_sym.claims.whole import mistake_of_whole


def check(cell: Cell, of: Any, wrt: Any, claim: Any, path: str = "partial") -> Verdict | TableVerdict:
    """Whether a claimed formula for ∂of/∂wrt is right; if not, the mistake, the difference and a counter-example.

    >>> import lstm_sym as ls
    >>> s = ls.LSTM.symbols
    >>> verdict = ls.check(ls.LSTM, "c", "c", s.f, path="total")
    >>> verdict.right, verdict.mistake.name
    (False, 'the path through hₜ₋₁ dropped')
    >>> import numpy as np
    >>> print(ls.check(ls.RNN, "h", "h", lambda v: np.diag(1 - v.h**2) @ v.W_hh))
    right: ∂hₜ/∂hₜ₋₁ = the given function
      because    it agrees with the exact Jacobian at 27 random points, n = 2, 3 and 5, to 1e-9

    Args:
        cell, of, wrt, path: the derivative in question, as for ``jacobian``.
        claim: a formula made with ``diag``, a per-unit expression in the cell's symbols (understood as its diag),
            a ``Jacobian``, a number (0), or a function of all quantities that returns a matrix (rows, columns):
            ``lambda v: np.diag(v.f) @ v.W_hf``. It is called with vectors (n,), weights (rows, columns) and
            older quantities (``v.o_prev``) of random cells. For "state" a dict of blocks {("c", "h"): …}, a
            ``JacobianTable``, or a function that returns the whole matrix.

    Returns:
        A ``Verdict`` (for "state" a ``TableVerdict``): ``right``, ``mistake``, ``difference``, ``counterexample``;
        print it for the report. Formulas are decided exactly, functions at random points.

    Raises:
        UnknownNameError: a name that is not in the cell.
        TypeError: text (it is never parsed), or anything else that is no claim.
        ValueError: a plain SymPy product s.f * s.W_hf, which has lost the diagonal's side; a function that fails,
            or returns no finite numbers.
    """
    question = jacobian(a_cell(cell), of, wrt, path)
    if isinstance(question, JacobianTable):
        return _check_table(question, claim)
    if not isinstance(question, Jacobian):
        raise ValueError(
            f"wrt = {wrt!r}: a derivative by a parameter has three indices, and claims are about matrices."
            " Check the derivative by a vector that it is applied to."
        )
    return _check_one(question, claim)


def _check_one(question: Jacobian, claim: Any) -> Verdict:
    if isinstance(claim, Jacobian) and claim.cell is not question.cell:
        raise ValueError(f"the claim is about {claim.cell.name}: expected one about {question.cell.name}.")
    if isinstance(claim, str):
        raise TypeError(
            f"the claim {claim!r:.60} is text, which is never parsed: build it from the symbols,"
            " s = cell.symbols; ls.diag(s.f * (1 - s.f)) @ s.W_hf, or give a function of the values."
        )
    if (found := formula(claim)) is not None:
        return decide_formula(question, bound(question, found))
    if callable(claim):
        return decide_function(question, Claimed(question, claim))
    if isinstance(claim, (np.ndarray, list, tuple, sp.MatrixBase)):
        raise TypeError(
            "the claim is an explicit matrix: expected a formula for every size, ls.diag(…) @ W, or a function of"
            " the values, lambda v: np.diag(v.f) @ v.W_hf."
        )
    raise TypeError(
        f"the claim {claim!r:.60} is a {type(claim).__name__}: expected a formula made with ls.diag, an expression"
        " in the cell's symbols, a number, or a function of the values."
    )


def _check_table(question: JacobianTable, claim: Any) -> TableVerdict:
    """The blocks one by one; a function is called for the whole matrix."""
    if isinstance(claim, JacobianTable):
        claim = claim.blocks
    if isinstance(claim, Mapping):
        return TableVerdict(question, {p: _check_one(question[p], c) for p, c in _every_block(question, claim)})
    if not callable(claim) or isinstance(claim, sp.Basic):
        raise TypeError(
            f"the claim is a {type(claim).__name__}: expected a dict of blocks"
            f" {{{', '.join(map(str, question.blocks))}}}, or a function that returns the whole matrix."
        )
    whole: Callable[[Any], Any] = claim
    blocks = {
        place: decide_function(block, Claimed(block, whole, block_of(question, place)))
        for place, block in question.blocks.items()
    }
    wrong = not all(blocks.values())
    return TableVerdict(question, blocks, mistake_of_whole(question, whole) if wrong else None)


def _every_block(question: JacobianTable, claim: Mapping[Any, Any]) -> list[tuple[tuple[str, str], Any]]:
    """The claims in the order of the table; unknown and missing blocks are refused."""
    for place in claim:
        if place not in question.blocks:
            raise unknown_name("block", place, map(str, question.blocks))
    if missing := [str(place) for place in question.blocks if place not in claim]:
        raise ValueError(f"no claim for the block {', '.join(missing)}: give every block, 0 where it is zero.")
    return [(place, claim[place]) for place in question.blocks]
