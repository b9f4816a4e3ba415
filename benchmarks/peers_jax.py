"""The same work in JAX: double precision, jit, scan and vmap, compiled and warm before anything is timed.

Every builder puts the inputs on the device, compiles, and returns a function of no arguments that waits for its
result. Gates come from one product with the stacked weights, in the order f, i, g, o; whatever the known states
determine is computed for all steps at once, outside the scan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

jax.config.update("jax_enable_x64", True)

Work = Callable[[], Any]


def _weights(p: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """W_h (4n, n), W_x (4n, m) and b (4n), gates stacked as f, i, g, o."""
    stacks = (np.concatenate([p[f"{kind}{gate}"] for gate in "figo"]) for kind in ("W_h", "W_x", "b_"))
    W_h, W_x, b = (jnp.asarray(stack) for stack in stacks)
    return W_h, W_x, b


def _cell(a: Any, c: Any) -> tuple[Any, Any, tuple[Any, ...]]:
    """(h, c, gates) from the pre-activations (4n) and the old cell state."""
    af, ai, ag, ao = jnp.split(a, 4, axis=-1)
    f, i, g, o = jax.nn.sigmoid(af), jax.nn.sigmoid(ai), jnp.tanh(ag), jax.nn.sigmoid(ao)
    new = f * c + i * g
    return o * jnp.tanh(new), new, (f, i, g, o)


def _step(W_h: Any, drive: Any, state: Any) -> Any:
    """The next stacked state; ``drive`` is W_x x + b."""
    h, c = jnp.split(state, 2)
    return jnp.concatenate(_cell(drive + W_h @ h, c)[:2])


def _slopes(W_h: Any, drive: Any, state: Any) -> tuple[Any, ...]:
    """What a tangent meets at each step, (T, ..., n) each: dc/da of f, i, g; dh/da_o; dc/dc; dh/dc′."""
    h, c = jnp.split(state, 2, axis=-1)
    _, new, (f, i, g, o) = _cell(drive + h @ W_h.T, c)
    m = jnp.tanh(new)
    return c * f * (1 - f), g * i * (1 - i), i * (1 - g * g), m * o * (1 - o), f, o * (1 - m * m)


def _push(W_h: Any, slopes: tuple[Any, ...], V: Any) -> Any:
    """J V for the frame V (2n, k), with the gates' weights folded into one matrix first."""
    kf, ki, kg, ko, f, d = (slope[:, None] for slope in slopes)
    W_f, W_i, W_g, W_o = jnp.split(W_h, 4)
    H, C = jnp.split(V, 2)
    folded = jnp.concatenate([kf * W_f + ki * W_i + kg * W_g, ko * W_o]) @ H
    A, B = jnp.split(folded, 2)
    c = A + f * C
    return jnp.concatenate([d * c + B, c])


def _push_stacked(W_h: Any, slopes: tuple[Any, ...], V: Any) -> Any:
    """J V with one product of the stacked weights, the slopes applied to its result."""
    kf, ki, kg, ko, f, d = (slope[:, None] for slope in slopes)
    H, C = jnp.split(V, 2)
    Af, Ai, Ag, Ao = jnp.split(W_h @ H, 4)
    c = kf * Af + ki * Ai + kg * Ag + f * C
    return jnp.concatenate([d * c + ko * Ao, c])


def _push_jvp(W_h: Any, point: tuple[Any, Any], V: Any) -> Any:
    """J V by forward-mode differentiation of the step, mapped over the columns of V."""
    drive, state = point
    tangent = lambda v: jax.jvp(partial(_step, W_h, drive), (state,), (v,))[1]  # noqa: E731
    return jax.vmap(tangent, in_axes=1, out_axes=1)(V)


PUSHES = {"folded": _push, "stacked": _push_stacked, "jvp": _push_jvp}


def _ready(function: Callable[..., Any], *arguments: Any) -> Work:
    """``function`` compiled for these arguments and run once."""
    held = jax.device_put(arguments)
    compiled = jax.jit(function).lower(*held).compile()
    jax.block_until_ready(compiled(*held))
    return lambda: jax.block_until_ready(compiled(*held))


def jacobians(p: Mapping[str, Any], x: Any, before: Any) -> Work:
    """All state Jacobians (T, 2n, 2n) by forward-mode differentiation."""
    W_h, W_x, b = _weights(p)

    def work(W_h: Any, W_x: Any, b: Any, x: Any, before: Any) -> Any:
        return jax.vmap(jax.jacfwd(partial(_step, W_h), argnums=1))(x @ W_x.T + b, before)

    return _ready(work, W_h, W_x, b, x, before)


def jacobians_by_hand(p: Mapping[str, Any], x: Any, before: Any) -> Work:
    """All state Jacobians (T, 2n, 2n) from the formula, every block in one fused pass over the padded weights."""
    W_h, W_x, b = _weights(p)
    n = W_h.shape[1]

    def work(W_h: Any, W_x: Any, b: Any, x: Any, before: Any) -> Any:
        kf, ki, kg, ko, f, d = _slopes(W_h, x @ W_x.T + b, before)
        upper, lower = (d * kf, d * ki, d * kg, ko, d * f), (kf, ki, kg, jnp.zeros_like(ko), f)
        rows = [jnp.concatenate(pair, axis=-1)[:, :, None] for pair in zip(upper, lower, strict=True)]
        zero, eye = jnp.zeros((n, n)), jnp.eye(n)
        wide = [jnp.concatenate([W, zero], axis=1) for W in jnp.split(W_h, 4)]
        wide.append(jnp.concatenate([zero, eye], axis=1))
        return sum(row * jnp.concatenate([W, W]) for row, W in zip(rows, wide, strict=True))

    return _ready(work, W_h, W_x, b, x, before)


def lyapunov(p: Mapping[str, Any], x: Any, before: Any, Q: Any, interval: int, variant: str = "folded") -> Work:
    """Exponents in nats per step by QR every ``interval`` steps; x (T, ..., m) with at most one batch axis."""
    W_h, W_x, b = _weights(p)
    steps = len(x)
    whole = steps // interval * interval

    def advance(W_h: Any, carry: tuple[Any, Any], points: Any) -> tuple[Any, Any]:
        Q, logs = carry
        push = partial(PUSHES[variant], W_h)
        Q, _ = lax.scan(lambda Q, point: (push(point, Q), None), Q, points)
        Q, R = jnp.linalg.qr(Q)
        return Q, logs + jnp.log(jnp.abs(jnp.diagonal(R)))

    def one(W_h: Any, points: Any, Q: Any) -> Any:
        head = jax.tree.map(lambda a: a[:whole].reshape(-1, interval, *a.shape[1:]), points)
        body = lambda carry, part: (advance(W_h, carry, part), None)  # noqa: E731
        carry, _ = lax.scan(body, (Q, jnp.zeros(Q.shape[1])), head)
        if whole < steps:
            carry = advance(W_h, carry, jax.tree.map(lambda a: a[whole:], points))
        return -jnp.sort(-carry[1]) / steps

    def work(W_h: Any, W_x: Any, b: Any, x: Any, before: Any, Q: Any) -> Any:
        drive = x @ W_x.T + b
        points = (drive, before) if variant == "jvp" else _slopes(W_h, drive, before)
        mapped = partial(one, W_h)
        if before.ndim == 3:
            mapped = jax.vmap(mapped, in_axes=(1, None))
        return mapped(points, Q)

    return _ready(work, W_h, W_x, b, x, before, Q)


def bptt(p: Mapping[str, Any], x: Any, collected: bool, unroll: int = 1) -> Work:
    """(loss, gradients of W_h, W_x, b) of Σ h² / 2 over a scan; x (T, ..., m).

    ``collected``: the gradient of the weights is one product after the scan, from that of the pre-activations,
    where plain reverse mode adds up an outer product at every step.
    """
    W_h, W_x, b = _weights(p)
    zeros = jnp.zeros((*x.shape[1:-1], W_h.shape[1]))

    def run(W_h: Any, drive: Any) -> Any:
        def body(carry: tuple[Any, Any], drive: Any) -> Any:
            h, c, _ = _cell(drive + carry[0] @ W_h.T, carry[1])
            return (h, c), h

        return lax.scan(body, (zeros, zeros), drive, unroll=unroll)[1]

    def loss(W_h: Any, W_x: Any, b: Any) -> Any:
        return 0.5 * jnp.sum(run(W_h, x @ W_x.T + b) ** 2)

    def apart(W_h: Any, W_x: Any, b: Any, x: Any) -> Any:
        def of_drive(drive: Any) -> Any:
            h = run(W_h, drive)
            return 0.5 * jnp.sum(h**2), h

        (value, h), delta = jax.value_and_grad(of_drive, has_aux=True)(x @ W_x.T + b)
        before = jnp.concatenate([zeros[None], h[:-1]])
        flat, before, x = (a.reshape(-1, a.shape[-1]) for a in (delta, before, x))
        return value, (flat.T @ before, flat.T @ x, flat.sum(axis=0))

    plain = lambda W_h, W_x, b, x: jax.value_and_grad(loss, argnums=(0, 1, 2))(W_h, W_x, b)  # noqa: E731
    return _ready(apart if collected else plain, W_h, W_x, b, x)
