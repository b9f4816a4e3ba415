"""``verify``: the structured Jacobians against SymPy's own ``Matrix.jacobian``, entry by entry, exactly.

The equations are written out for explicit units, SymPy differentiates them, and both results are compared as
polynomials after every activation has become a free symbol. The rules for the activations' slopes are proved
separately, from exponentials. Sizes start at 2, since a diagonal on the wrong side of a weight passes at 1, and
inputs and outputs have sizes of their own, since a wrong transpose passes where all are square.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeAlias

import sympy as sp
from sympy.polys.matrices import DomainMatrix

from lstm_sym.calculus.adjoints.backpropagation import Adjoint, adjoint
from lstm_sym.calculus.curvature.hessians import Hessian
from lstm_sym.calculus.curvature.text import unicode_name as second_name
from lstm_sym.calculus.derive import PATHS, jacobian
from lstm_sym.calculus.determinants import log_determinant
from lstm_sym.calculus.proofs.freedom import is_gauge
from lstm_sym.calculus.proofs.gradients import WrittenOutAdjoint, parameter_sides
from lstm_sym.calculus.proofs.rational import is_zero
from lstm_sym.calculus.proofs.writtenout import WrittenOut
from lstm_sym.calculus.text import unicode_name
from lstm_sym.calculus.values import Jacobian
from lstm_sym.calculus.weights.immediate import ColumnJacobian, ParameterJacobian
from lstm_sym.cell import Cell, Elementwise, a_cell
from lstm_sym.cell.gauges import Gauge
from lstm_sym.checks import size as checked_size
from lstm_sym.functions import Activation
from lstm_sym.notation import lagged

#: What can be proved.
Claim: TypeAlias = Jacobian | ParameterJacobian | ColumnJacobian | Hessian | Adjoint


class VerificationError(AssertionError):
    """A derivative that differs from SymPy's own; the message names the derivative, the size and the entry.

    >>> import lstm_sym as ls
    >>> from dataclasses import replace
    >>> value = ls.jacobian(ls.LSTM, "c", "h")
    >>> try:
    ...     ls.verify(ls.LSTM, replace(value, terms=value.terms[1:]))
    ... except ls.VerificationError as error:
    ...     print(str(error).splitlines()[0])
    LSTM, ∂cₜ/∂hₜ₋₁ (partial) at n = 2 is wrong. Claimed: diag(g⊙i⊙(1−i))·W_hi + diag(i⊙(1−g²))·W_hg.
    """


@dataclass
class Proof:
    """What ``verify`` proved; printing it gives the certificate."""

    cell: Cell
    sizes: tuple[int, ...]
    jacobians: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PATHS, 0))
    parameters: int = 0
    hessians: int = 0
    adjoint: str = ""
    entries: int = 0
    rules: tuple[str, ...] = ()
    determinant: str = ""
    gauge: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        sizes = ", ".join(f"n = {n} (inputs {n + 1}, outputs {n + 2})" for n in self.sizes)
        counts = ", ".join(f"{count} {path}" for path, count in self.jacobians.items() if count)
        lines = [
            f"{self.cell.name}: proved exactly, against SymPy's Matrix.jacobian",
            *[f"  Jacobians    {counts}"] * bool(counts),
            *[f"  by weights   {self.parameters} immediate"] * bool(self.parameters),
            *[f"  Hessians     {self.hessians}"] * bool(self.hessians),
            *[f"  adjoint      {self.adjoint}"] * bool(self.adjoint),
            f"  sizes        {sizes}",
            f"  entries      {self.entries:,} equal, 0 different",
            f"  slopes       {', '.join(self.rules) or 'none'}",
            f"  determinant  {self.determinant}",
            *[f"  gauge        {self.gauge}"] * bool(self.gauge),
            f"  time         {self.seconds:.1f} s",
        ]
        return "\n".join(lines)

    __repr__ = __str__


def verify(cell: Cell, claims: Claim | Iterable[Claim] | None = None, sizes: Iterable[int] = (2, 3)) -> Proof:
    """Prove derivatives of ``cell`` exact, or fail loudly.

    >>> import lstm_sym as ls
    >>> ls.verify(ls.LSTM, ls.jacobian(ls.LSTM, "c", "h")).entries
    13

    Args:
        cell: the cell whose equations decide.
        claims: what to prove, as ``jacobian``, ``hessian`` and ``adjoint`` return it; without claims, every node
            with respect to every state and input, every state with respect to every node that it reads, on every
            path, and, at the least size, the adjoint with the gradients by all parameters.
        sizes: the explicit hidden sizes, each at least 2.

    Returns:
        The ``Proof``; ``print`` it for the certificate.

    Raises:
        VerificationError: an entry differs; the message shows both.
        ValueError: a size below 2, no claims at all, or claims about another cell.
    """
    start = time.perf_counter()
    cell = a_cell(cell)
    sizes = tuple(checked_size("size", n) for n in sizes)
    if not sizes or min(sizes) < 2:
        raise ValueError(f"sizes = {sizes}: expected sizes of at least 2; at 1 a misplaced diagonal would pass.")
    proof = Proof(cell, sizes)
    chosen = list(all_jacobians(cell)) if claims is None else _checked_claims(cell, claims)
    for n in sizes:
        written = WrittenOut(cell, n)
        for claim in chosen:
            proof.entries += compare_entries(written, claim)
    for claim in chosen:
        if isinstance(claim, Jacobian):
            proof.jacobians[claim.path] += 1
    proof.parameters = sum(isinstance(claim, ParameterJacobian | ColumnJacobian) for claim in chosen)
    proof.hessians = sum(isinstance(claim, Hessian) for claim in chosen)
    proven = sizes if any(isinstance(claim, Adjoint) for claim in chosen) else ()
    if claims is None:
        proven = (min(sizes),)
        compare_entries(WrittenOut(cell, min(sizes)), adjoint(cell))
    if proven:
        shown = ", ".join(f"n = {n}" for n in proven)
        proof.adjoint = f"a step back is Jᵀ; the gradients by {len(cell.parameters)} parameters ({shown})"
    proof.rules = tuple(_prove_slope(activation) for activation in _activations(cell))
    if proof.hessians:
        proof.rules += tuple(_prove_curvature(activation) for activation in _activations(cell))
    proof.determinant = _prove_determinant(cell)
    proof.gauge = _prove_gauge(cell)
    proof.seconds = time.perf_counter() - start
    return proof


def _checked_claims(cell: Cell, claims: Claim | Iterable[Claim]) -> list[Claim]:
    chosen = [claims] if isinstance(claims, Claim) else list(claims)
    if not chosen:
        raise ValueError("no claims were given: leave claims out to prove every Jacobian.")
    for claim in chosen:
        if not isinstance(claim, Claim):
            raise TypeError(
                f"a claim is a {type(claim).__name__}: expected a Jacobian, as ls.jacobian returns it,"
                " a Hessian, as ls.hessian does, or an adjoint, as ls.adjoint does."
            )
        if isinstance(claim, Hessian) and claim.gate:
            raise ValueError(f"a claim is the part of {claim.gate!r}: expected a whole second derivative.")
        if isinstance(claim, ParameterJacobian | ColumnJacobian) and claim.path != "partial":
            raise ValueError(f"a claim is the direct part of ∂⁺{claim.of}/∂{claim.wrt}: expected the whole.")
        if claim.cell is not cell:
            raise ValueError(f"a claim is about {claim.cell.name}: expected claims about {cell.name}.")
    return chosen


def all_jacobians(cell: Cell) -> Iterator[Jacobian]:
    """Every node by every state and input on the partial path; every state by every node and state on all paths."""
    entering = (*map(lagged, cell.states), *cell.inputs)
    for of in cell.node:
        for wrt in entering:
            yield jacobian(cell, of, wrt)
    for state in cell.states:
        for wrt in cell.node:
            if wrt not in cell.outputs:
                yield jacobian(cell, state, cell[wrt])
        for wrt in cell.states:
            yield jacobian(cell, state, wrt, path="total")
            yield jacobian(cell, state, wrt, path="direct")


def compare_entries(written: WrittenOut, claim: Claim) -> int:
    """The number of entries compared; raises at the first that differs."""
    compared = 0
    for name, claimed, expected in _written_out(written, claim):
        what = f"{claim.cell.name}, {name} at n = {written.n}"
        if claimed.shape != expected.shape:
            raise VerificationError(f"{what}: shape {claimed.shape}, SymPy has {expected.shape}.")
        places = list(product(*map(range, claimed.shape)))
        for place in places:
            ours, theirs = claimed[place], expected[place]
            if not equal_entries(ours, theirs):
                raise VerificationError(
                    f"{what} is wrong. Claimed: {claim}.\n"
                    f"  entry {list(place)} claimed: {sp.expand(ours)}\n"
                    f"  entry {list(place)} SymPy:   {sp.expand(theirs)}"
                )
        compared += len(places)
    return compared


def _written_out(written: WrittenOut, claim: Claim) -> Iterator[tuple[str, Any, Any]]:
    """Of all that is claimed: its name, what is claimed, and what SymPy finds."""
    if isinstance(claim, Adjoint):
        for name, claimed, found in WrittenOutAdjoint(written, claim).sides():
            yield f"∂L/∂{name}", claimed, found
    elif isinstance(claim, Hessian):
        yield second_name(claim), written.expand_second(claim), written.hessian(claim.of, claim.wrt, claim.wrt2)
    elif isinstance(claim, Jacobian):
        expected = written.jacobian(claim.of, claim.wrt, claim.path)
        name = f"{unicode_name(claim)} ({claim.path})"
        yield name, written.expand(claim), expected.T if claim.transposed else expected
    else:
        yield (f"∂⁺{claim.of}/∂{claim.wrt}", *parameter_sides(written, claim))


def equal_entries(a: sp.Expr, b: sp.Expr) -> bool:
    """Equality of rational functions, over a common denominator."""
    return bool(a == b) or is_zero(a - b)


def _activations(cell: Cell) -> list[type[Activation]]:
    expressions = [node.expression for node in cell.nodes if isinstance(node, Elementwise)]
    found = {type(a) for expression in expressions for a in expression.atoms(Activation)}
    return sorted(found, key=lambda activation: activation.__name__)


def _prove_slope(activation: type[Activation]) -> str:
    """The slope's three forms agree with the derivative of the activation's exponential form."""
    a, e, v = sp.Symbol("a", real=True), sp.Symbol("e", positive=True), sp.Symbol("v", real=True)
    value, slope = activation.closed_form(a), activation.slope.closed_form(a)
    if activation.__name__ == "relu":  # no exponentials: two half-lines
        for half, expected in ((sp.Symbol("p", positive=True), 1), (sp.Symbol("q", negative=True), 0)):
            if sp.diff(value, a).subs(a, half) != expected:
                raise VerificationError(f"relu′ is not {expected} at {half}.")
    else:
        forms = (sp.diff(value, a), slope, activation.slope_from_value(v).subs(v, value))
        rational = [sp.expand_power_exp(form).subs(sp.exp(-a), 1 / e).subs(sp.exp(a), e) for form in forms]
        if any(sp.cancel(rational[0] - other) != 0 for other in rational[1:]):
            raise VerificationError(f"the slope of {activation.__name__} is not its derivative.")
    return f"{activation.__name__}′"


def _prove_curvature(activation: type[Activation]) -> str:
    """The rule for the slope's derivative agrees with the second derivative of the exponential form."""
    a, e = sp.Symbol("a", real=True), sp.Symbol("e", positive=True)
    rule = sp.diff(activation.slope(a), a)
    right = sp.S.Zero if activation.__name__ == "relu" else sp.diff(activation.closed_form(a), a, 2)
    closed = {form(a): form.closed_form(a) for form in (activation, activation.slope)}
    forms = [sp.expand_power_exp(form) for form in (rule.xreplace(closed), right)]
    ours, theirs = (form.subs(sp.exp(-a), 1 / e).subs(sp.exp(a), e) for form in forms)
    if sp.cancel(ours - theirs) != 0:
        raise VerificationError(f"the second slope of {activation.__name__} is not its second derivative.")
    return f"{activation.__name__}″"


def _prove_gauge(cell: Cell) -> str:
    """That the declared directions are carried along by every step, and have no effect on the other states."""
    for gauge in cell.gauges:
        if not is_gauge(cell, gauge):
            raise VerificationError(
                f"{cell.name}: {_direction(gauge)} is no gauge direction: a step does not keep it."
            )
    return ", ".join(map(_direction, cell.gauges))


def _direction(gauge: Gauge) -> str:
    return f"δ({', '.join(gauge)}) = ({', '.join(map(str, gauge.values()))})".replace("-", "−")


#: Random rational points at which a determinant is compared, exactly: a wrong one passes with probability 1e-24.
POINTS = 3


def _prove_determinant(cell: Cell) -> str:
    """The closed form against the determinant of SymPy's matrix at n = 2."""
    closed = log_determinant(cell)
    if closed is None:
        return "no closed form"
    written = WrittenOut(cell, 2)
    table = [[written.jacobian(r, lagged(c), "partial") for c in cell.states] for r in cell.states]
    matrix = sp.Matrix.vstack(*(sp.Matrix.hstack(*row) for row in table))
    factors = written.determinant_factors(closed)
    if not all(_determinant_is(*point) for point in _at_random_points(factors, matrix)):
        raise VerificationError(f"{cell.name}: log|det| = {closed} differs from SymPy's determinant at n = 2.")
    return f"log|det| = {closed} (n = 2, at {POINTS} random rational points)"


def _determinant_is(factors: sp.Expr, matrix: sp.Matrix) -> bool:
    """Whether det(matrix) is ± ``factors``, up to sign."""
    domain, (closed_form, *entries) = sp.construct_domain([factors, *matrix], composite=True)
    size = matrix.shape[0]
    rows = [entries[k : k + size] for k in range(0, size * size, size)]
    determinant = DomainMatrix(rows, (size, size), domain).charpoly()[-1]
    return determinant in (closed_form, -closed_form)


def _at_random_points(factors: sp.Expr, matrix: sp.Matrix) -> list[tuple[sp.Expr, sp.Matrix]]:
    """Both sides at rational points: an identity that fails does so at almost every one of them."""
    draw = random.Random(0)
    symbols = sorted(factors.free_symbols | matrix.free_symbols, key=str)
    points = [{symbol: sp.Rational(draw.randint(1, 2**31), 997) for symbol in symbols} for _ in range(POINTS)]
    return [(factors.xreplace(point), matrix.xreplace(point)) for point in points]
