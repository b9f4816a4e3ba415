"""Systems with known spectra, and exact references, for the tests of flow."""

from __future__ import annotations

from typing import Any

import flint
import numpy as np

import lstm_sym.flow as flow


class LinearMaps:
    """s' = A_t s for given matrices (T, ..., S, S); the input says which t."""

    def __init__(self, matrices: Any, blocks: dict[str, slice] | None = None, closed: bool = False) -> None:
        self.matrices = np.asarray(matrices, dtype=float)
        if blocks is not None:
            self.blocks = lambda parameters: blocks
        if closed:
            self.log_determinant = lambda p, x, s: np.linalg.slogdet(self.jacobian(p, x, s))[1]

    def step(self, parameters: Any, x: Any, state: Any) -> Any:
        return 0 * state

    def jacobian(self, parameters: Any, x: Any, state: Any) -> Any:
        time = x[(..., *(0,) * (x.ndim - 1))].astype(int)
        return self.matrices[time]


class Toy:
    """A cell-like toy, h' = A h + a c, c' = B h + f c (products elementwise), a and f varying with the input.

    The direct part is (h, c): a, (c, c): f.  Within a step h depends on c by ``a`` once more.
    """

    n = 2

    def __init__(self, A: Any, B: Any) -> None:
        self.A, self.B = A, B

    def blocks(self, parameters: Any) -> dict[str, slice]:
        return {"h": slice(0, self.n), "c": slice(self.n, 2 * self.n)}

    def step(self, parameters: Any, x: Any, state: Any) -> Any:
        return (self.jacobian(parameters, x, state) @ state[..., None])[..., 0]

    def jacobian(self, parameters: Any, x: Any, state: Any) -> Any:
        a, f = x[..., : self.n], x[..., self.n :]
        J = np.zeros((*x.shape[:-1], 2 * self.n, 2 * self.n))
        every = np.arange(self.n)
        J[..., : self.n, : self.n], J[..., self.n :, : self.n] = self.A, self.B
        J[..., every, self.n + every], J[..., self.n + every, self.n + every] = a, f
        return J

    def direct(self, parameters: Any, x: Any, state: Any) -> dict[tuple[str, str], Any]:
        return {("h", "c"): x[..., : self.n], ("c", "c"): x[..., self.n :]}

    def within(self, parameters: Any, x: Any, state: Any, wrt: str) -> Any:
        E = np.zeros((*x.shape[:-1], 2 * self.n, self.n))
        every = np.arange(self.n)
        E[..., every + (0 if wrt == "h" else self.n), every] = 1.0
        if wrt == "c":
            E[..., every, every] = x[..., : self.n]
        return E

    def evaluate(self, parameters: Any, x: Any, state: Any) -> dict[str, Any]:
        return {"a": x[..., : self.n], "f": x[..., self.n :]}


def product(matrices: Any, blocks: dict[str, slice] | None = None, closed: bool = False) -> flow.Trajectory:
    """The trajectory whose Jacobians are ``matrices`` (T, ..., S, S)."""
    system = LinearMaps(matrices, blocks, closed)
    steps, batch, size = len(system.matrices), system.matrices.shape[1:-2], system.matrices.shape[-1]
    return flow.run(system, None, np.arange(float(steps))[:, None], np.zeros((*batch, size)))


class Constant:
    """s' = W s."""

    def __init__(self, W: Any) -> None:
        self.W = np.asarray(W, dtype=float)

    def step(self, parameters: Any, x: Any, state: Any) -> Any:
        return state @ self.W.T

    def jacobian(self, parameters: Any, x: Any, state: Any) -> Any:
        return self.W


class Henon:
    """x' = 1 − a x² + y, y' = b x (M. Hénon, 1976)."""

    a, b = 1.4, 0.3

    def step(self, parameters: Any, x: Any, state: Any) -> Any:
        u, v = state[..., 0], state[..., 1]
        return np.stack([1 - self.a * u**2 + v, self.b * u], axis=-1)

    def jacobian(self, parameters: Any, x: Any, state: Any) -> Any:
        u = state[..., 0]
        return np.stack([np.stack([-2 * self.a * u, 1 + 0 * u], -1), np.stack([self.b + 0 * u, 0 * u], -1)], -2)

    def log_determinant(self, parameters: Any, x: Any, state: Any) -> Any:
        return np.full(state.shape[:-1], np.log(self.b))


def exact_log_singular_values(matrices: Any, bits: int, rows: Any = None, columns: Any = None) -> np.ndarray:
    """Log singular values of A_T ··· A_1 (or a block of it), float64 factors taken as exact."""
    before, flint.ctx.prec = flint.ctx.prec, bits
    try:
        P = None
        for matrix in matrices:
            A = flint.arb_mat(
                [[v if isinstance(v, flint.arb) else flint.arb(float(v)) for v in row] for row in matrix]
            )
            P = A if P is None else (A * P).mid()
        entries = np.array(P.tolist(), dtype=object)
        entries = entries[rows if rows is not None else slice(None)]
        entries = entries[:, columns if columns is not None else slice(None)]
        if entries.shape[0] < entries.shape[1]:
            entries = entries.T
        return _jacobi(entries)
    finally:
        flint.ctx.prec = before


def _jacobi(A: np.ndarray) -> np.ndarray:
    """One-sided Jacobi on the columns of a matrix of arbs; logs of the column norms at the end."""
    columns = [A[:, j].copy() for j in range(A.shape[1])]
    tiny = flint.arb(2) ** -80
    for _ in range(60):
        columns.sort(key=_log_norm, reverse=True)
        turned = False
        for i in range(len(columns)):
            for j in range(i + 1, len(columns)):
                turned |= _rotate(columns, i, j, tiny)
        if not turned:
            break
    return -np.sort([-_log_norm(c) for c in columns])


def _log_norm(column: np.ndarray) -> float:
    total = (column**2).sum().mid()
    return float(total.log()) / 2 if total > 0 else -np.inf


def _rotate(columns: list[np.ndarray], i: int, j: int, tiny: Any) -> bool:
    u, v = columns[i], columns[j]
    a, b, c = ((x * y).sum().mid() for x, y in ((u, u), (v, v), (u, v)))
    if not abs(c) > tiny * (a * b).sqrt():
        return False
    zeta = ((b - a) / (2 * c)).mid()
    root = abs(zeta) + (1 + zeta * zeta).sqrt()
    t = ((1 if zeta > 0 else -1) / root).mid()
    cosine = (1 / (1 + t * t).sqrt()).mid()
    sine = (cosine * t).mid()
    columns[i] = np.array([(cosine * x - sine * y).mid() for x, y in zip(u, v, strict=True)], dtype=object)
    columns[j] = np.array([(sine * x + cosine * y).mid() for x, y in zip(u, v, strict=True)], dtype=object)
    return True
