"""Reference answers in NumPy's long double (64-bit mantissa on x86), by methods that share no code with lstm_sym.

They take from seconds to minutes, so each answer is kept in the environment's folder under a hash of its problem:
the parameters, the inputs and the start frame, which determine the states up to rounding, and this file's text.
"""

from __future__ import annotations

import hashlib
import itertools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg.lapack import dgejsv

Long = np.longdouble
FOLDER = Path(sys.prefix) / "references"

#: Couplings below this do not move a singular value; rounds of sweeps until they have shrunk.
NEGLIGIBLE, SWEEPS = 1e-17, 60


def kept(work: Callable[..., Any], p: Mapping[str, Any], *arrays: Any, along: Any = None) -> Any:
    """``work(p, *arrays)``, or with the states ``along`` last, from the file if it has been computed before."""
    if np.finfo(Long).eps >= np.finfo(np.float64).eps:
        raise RuntimeError("long double is no wider than double here: no reference can be computed.")
    key = hashlib.sha256(work.__name__.encode() + Path(__file__).read_bytes())
    for array in (*p.values(), *arrays):
        key.update(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    file = FOLDER / f"{work.__name__}-{key.hexdigest()[:16]}.npy"
    if not file.exists():
        print(f"computing the reference {file.stem}, once", file=sys.stderr, flush=True)
        answer = work(p, *arrays) if along is None else work(p, *arrays, along)
        FOLDER.mkdir(exist_ok=True)
        np.save(file, answer.astype(np.float64))
    return np.load(file)


def _stack(p: Mapping[str, Any], kind: str) -> Any:
    """The arrays of the gates f, i, g, o on top of each other."""
    return np.concatenate([p[f"{kind}{gate}"] for gate in "figo"]).astype(Long)


def _sigmoid(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def _gates(a: Any, c: Any) -> tuple[Any, ...]:
    """(f, i, g, o, new c, its tanh) from the pre-activations (..., 4n)."""
    af, ai, ag, ao = np.split(a, 4, axis=-1)
    f, i, g, o = _sigmoid(af), _sigmoid(ai), np.tanh(ag), _sigmoid(ao)
    new = f * c + i * g
    return f, i, g, o, new, np.tanh(new)


def _slopes(a: Any, c: Any) -> tuple[Any, ...]:
    """dc/da of f, i, g; dh/da of o; dc/dc; dh/dc′: (..., n) each, slopes from the pre-activations."""
    af, ai, ag, ao = np.split(a, 4, axis=-1)
    f, i, g, o, new, m = _gates(a, c)
    by_gate = c * f * _sigmoid(-af), g * i * _sigmoid(-ai), i / np.cosh(ag) ** 2, m * o * _sigmoid(-ao)
    return (*by_gate, f, o / np.cosh(new) ** 2)


def jacobians(p: Mapping[str, Any], x: Any, before: Any) -> Any:
    """The state Jacobians (T, 2n, 2n) in long double."""
    n = before.shape[-1] // 2
    W = _stack(p, "W_h")
    h, c = np.split(before.astype(Long), 2, axis=-1)
    kf, ki, kg, ko, f, d = (s[..., None] for s in _slopes(x @ _stack(p, "W_x").T + h @ W.T + _stack(p, "b_"), c))
    A = kf * W[:n] + ki * W[n : 2 * n] + kg * W[2 * n : 3 * n]
    eye = np.eye(n, dtype=Long)
    top = np.concatenate([d * A + ko * W[3 * n :], d * f * eye], axis=-1)
    return np.concatenate([top, np.concatenate([A, f * eye], axis=-1)], axis=-2)


def _orthonormal(V: Any) -> tuple[Any, Any]:
    """(Q, R) with V = R Q for the rows of V, by Gram-Schmidt done twice; R lower triangular."""
    Q, R = V.copy(), np.zeros((len(V), len(V)), Long)
    for i in range(len(V)):
        for _ in range(2):
            part = Q[:i] @ Q[i]
            Q[i] -= part @ Q[:i]
            R[i, :i] += part
        R[i, i] = np.sqrt(Q[i] @ Q[i])
        Q[i] /= R[i, i]
    return Q, R


def _pushed(jacobian: Any, V: Any) -> Any:
    """The rows of V one step on; the Jacobian's right half is two diagonals."""
    n = V.shape[1] // 2
    out = V[:, :n] @ np.ascontiguousarray(jacobian[:, :n].T)
    right = np.concatenate([np.diagonal(jacobian[:n, n:]), np.diagonal(jacobian[n:, n:])])
    return out + right * np.tile(V[:, n:], 2)


def exponents(p: Mapping[str, Any], x: Any, Q: Any, before: Any) -> Any:
    """Lyapunov exponents (k) in nats per step, descending, orthonormalised at every step."""
    V, logs = Q.T.astype(Long), np.zeros(Q.shape[1], Long)
    for t in range(len(x)):
        V, R = _orthonormal(_pushed(jacobians(p, x[t : t + 1], before[t : t + 1])[0], V))
        logs += np.log(np.diagonal(R))
    return -np.sort(-logs) / len(x)


def _scaled(R: Any, d: Any) -> tuple[Any, Any]:
    """R diag(e^d) = diag(e^d′) T with T unit upper triangular: (d′, T)."""
    new = d + np.log(np.diagonal(R))
    ratio = np.exp(np.clip(np.triu(d[None, :] - new[:, None]), -11000, 11000))
    return new, np.triu(R * ratio)


def singular_logs(p: Mapping[str, Any], x: Any, before: Any) -> Any:
    """Log singular values (2n) of the product of all state Jacobians, descending: a graded factorisation.

    The product is Qᵀ diag(e^d) T with d in logs; at the end, sweeps (a QR factorisation of the transpose) until
    it falls apart into groups, which one-sided Jacobi finishes.
    """
    size = before.shape[-1]
    V, T, d = np.eye(size, dtype=Long), np.eye(size, dtype=Long), np.zeros(size, Long)
    for t in range(len(x)):
        V = _pushed(jacobians(p, x[t : t + 1], before[t : t + 1])[0], V)
        order = np.argsort(-(d + np.log(np.sqrt((V * V).sum(axis=1)))), kind="stable")
        V, R = _orthonormal(V[order])
        d, unit = _scaled(R.T, d[order])
        T = unit @ T[order]
    for _ in range(SWEEPS):
        order = np.argsort(-(d + np.log(np.sqrt((T * T).sum(axis=1)))), kind="stable")
        d, T = _scaled(_orthonormal(T[order])[1].T, d[order])
    cuts = [j for j in range(1, size) if np.abs(T[:j, j:]).max() <= NEGLIGIBLE]
    edges = [0, *cuts, size]
    logs = [_group(T[a:b, a:b], d[a:b]) for a, b in itertools.pairwise(edges)]
    return -np.sort(-np.concatenate(logs))


def _group(T: Any, d: Any) -> Any:
    """Log singular values of diag(e^d) T for magnitudes near one another."""
    if len(d) == 1:
        return d
    rows = np.asfortranarray((T.T * np.exp(d - d.max())).astype(np.float64))
    values, _, _, work, _, info = dgejsv(rows, joba=0, jobu=3, jobv=3)
    if info != 0 or not np.all(values > 0):
        raise RuntimeError("the reference's groups of singular values are too wide: more sweeps are needed.")
    return np.log(values * (work[0] / work[1])) + d.max()


def bptt(p: Mapping[str, Any], x: Any) -> Any:
    """The gradient of Σ h² / 2 by W_h, W_x and b (gates f, i, g, o), flat, by reverse accumulation by hand."""
    W, W_x, b = (_stack(p, kind) for kind in ("W_h", "W_x", "b_"))
    n, x = W.shape[1], x.reshape(len(x), -1, x.shape[-1]).astype(Long)
    states = np.zeros((len(x) + 1, 2, x.shape[1], n), Long)
    drive = x @ W_x.T + b
    a = np.empty_like(drive)
    for t in range(len(x)):
        h, c = states[t]
        a[t] = drive[t] + h @ W.T
        _, _, _, o, new, m = _gates(a[t], c)
        states[t + 1] = o * m, new
    dh, dc, found = 0, 0, [np.zeros_like(W), np.zeros_like(W_x), np.zeros_like(b)]
    for t in reversed(range(len(x))):
        kf, ki, kg, ko, f, d = _slopes(a[t], states[t, 1])
        dh = dh + states[t + 1, 0]
        dc = dc + d * dh
        delta = np.concatenate([kf * dc, ki * dc, kg * dc, ko * dh], axis=-1)
        found = [found[0] + delta.T @ states[t, 0], found[1] + delta.T @ x[t], found[2] + delta.sum(axis=0)]
        dh, dc = delta @ W, f * dc
    return np.concatenate([part.ravel() for part in found])
