"""Mistakes about a whole table of blocks: the states stacked in another order, all of it transposed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np

from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.claims.mistakes import TableMistake
from lstm_sym.claims.numerics import close
from lstm_sym.claims.points import Values, point
from lstm_sym.claims.recognition import PLACES
from lstm_sym.functions import Array


def mistake_of_whole(question: JacobianTable, claim: Callable[[Any], Any]) -> TableMistake | None:
    """The mistake of a function that claims the whole matrix, if it is one about the whole."""
    places = [point(question.cell, *place) for place in PLACES]
    claimed = [np.asarray(claim(Values(at))) for at in places]
    right = [question.evaluate(at.values) for at in places]
    if all(map(close, claimed, [matrix.T for matrix in right])):
        return TableMistake(
            "the whole transposed", "rows belong to the new states, columns to the old ones: J[a, b] = ∂out_a/∂in_b"
        )
    for rows in permutations(question.rows):
        for columns in permutations(question.columns):
            if (rows, columns) == (question.rows, question.columns):
                continue
            stacked = [_stacked(question, rows, columns, at.values) for at in places]
            if all(map(close, claimed, stacked)):
                return TableMistake(
                    "the states in another order",
                    f"rows are stacked as ({', '.join(rows)}) and columns as ({', '.join(columns)}); expected were"
                    f" ({', '.join(question.rows)}) and ({', '.join(question.columns)})",
                )
    return None


def _stacked(table: JacobianTable, rows: tuple[str, ...], columns: tuple[str, ...], values: Any) -> Array:
    return np.block([[table[r, c].evaluate(values) for c in columns] for r in rows])
