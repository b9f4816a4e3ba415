"""The known mistakes, made on purpose: each is a change of the right formula, so it serves every cell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from lstm_sym.calculus.routes.routes import path_sum
from lstm_sym.calculus.routes.sums import title
from lstm_sym.calculus.terms import Term, Terms, merged
from lstm_sym.calculus.values import Jacobian


@dataclass(frozen=True)
class TableMistake:
    """A mistake about a whole table of blocks, by ``name``, and what it is."""

    name: str
    explanation: str

    def __str__(self) -> str:
        return f"{self.name}: {self.explanation}"


@dataclass(frozen=True)
class Mistake(TableMistake):
    """A mistake by ``name``, what it is and how to avoid it, and the ``formula`` that it makes of the right one."""

    formula: Jacobian

    def and_also(self, other: Mistake, formula: Jacobian) -> Mistake:
        """This mistake and another one, which together make ``formula``."""
        name = self.name if self.name == other.name else f"{self.name}, and {other.name}"
        return Mistake(name, f"{self.explanation}. And: {other.explanation}", formula)


@dataclass(frozen=True)
class Piece:
    """One product in the right formula, and the path by which the derivative comes this way."""

    title: str
    term: Term

    @property
    def where(self) -> str:
        """How a sentence calls it: what comes through the forget gate f."""
        return f"what comes {self.title}" if self.title else "one term"


@dataclass(frozen=True)
class Truth:
    """The right formula, in pieces."""

    question: Jacobian
    pieces: tuple[Piece, ...]

    def with_terms(self, terms: Terms) -> Jacobian:
        """Another formula for the same derivative."""
        return replace(self.question, terms=merged(terms, self.question.cell.parameters))

    def changed(self, k: int, *terms: Term) -> Jacobian:
        """The formula with piece ``k`` replaced."""
        return self.with_terms((*self._but(k), *terms))

    def everywhere(self, change: dict[int, Term]) -> Jacobian:
        """The formula with several pieces replaced."""
        return self.with_terms(tuple(change.get(k, piece.term) for k, piece in enumerate(self.pieces)))

    def _but(self, k: int) -> Terms:
        return tuple(piece.term for place, piece in enumerate(self.pieces) if place != k)


@lru_cache(maxsize=256)
def truth(question: Jacobian) -> Truth:
    """The right formula by paths; where these are too many, by its terms."""
    try:
        paths = path_sum(question).paths
    except ValueError:
        return Truth(question, tuple(Piece("", term) for term in question.terms))
    pieces = [Piece(title(question.cell, path.stations), term) for path in paths for term in path.terms]
    return Truth(question, tuple(pieces))


#: Mistakes come in two parts: those with a name of their own, and plain slips, of which there are many more.
#: Composed ones are telling mistakes with all diagonals on the wrong side, or all weights transposed, besides.
TELLING, PLAIN, COMPOSED = "telling", "plain", "composed"


@lru_cache(maxsize=256)
def catalogue(question: Jacobian, part: str = TELLING) -> tuple[Mistake, ...]:
    """The known mistakes that change the formula, the most telling names first, each formula once."""
    from lstm_sym.claims import exchanges, slips, ways

    generators = {
        TELLING: (*ways.FIRST, *slips.MISTAKES, *ways.PRODUCTS, *exchanges.MISTAKES),
        PLAIN: (*slips.LATE, *exchanges.LATE, ways.other_question),
        COMPOSED: (slips.composed,),
    }[part]
    found: dict[Terms, Mistake] = {}
    for generator in generators:
        for mistake in generator(truth(question)):
            if mistake.formula.terms != question.terms:
                found.setdefault(mistake.formula.terms, mistake)
    return tuple(found.values())
