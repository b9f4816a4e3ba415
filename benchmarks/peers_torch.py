"""The same work in PyTorch: double precision, torch.func for Jacobians, torch.nn.LSTM for gradients.

Every builder returns a function of no arguments, run once before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

Work = Callable[[], Any]


def _stack(p: Mapping[str, Any], kind: str, gates: str) -> torch.Tensor:
    """The gates' arrays on top of each other."""
    return torch.from_numpy(np.concatenate([p[f"{kind}{gate}"] for gate in gates]))


def _step(W_h: torch.Tensor, drive: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    """The next stacked state; ``drive`` is W_x x + b."""
    h, c = state.chunk(2)
    af, ai, ag, ao = (drive + W_h @ h).chunk(4)
    new = torch.sigmoid(af) * c + torch.sigmoid(ai) * torch.tanh(ag)
    return torch.cat([torch.sigmoid(ao) * torch.tanh(new), new])


def jacobians(p: Mapping[str, Any], x: Any, before: Any) -> Work:
    """All state Jacobians (T, 2n, 2n) by forward-mode differentiation under vmap."""
    W_h, W_x, b = (_stack(p, kind, "figo") for kind in ("W_h", "W_x", "b_"))
    x, before = torch.from_numpy(np.array(x)), torch.from_numpy(np.array(before))
    every = torch.func.vmap(torch.func.jacfwd(_step, argnums=2), in_dims=(None, 0, 0))

    def work() -> torch.Tensor:
        with torch.no_grad():
            return every(W_h, x @ W_x.T + b, before)

    work()
    return work


def bptt(p: Mapping[str, Any], x: Any) -> Work:
    """(loss, gradients of W_h, W_x, b in the order i, f, g, o) of Σ h² / 2 by torch.nn.LSTM; x (T, batch, m)."""
    n, m = p["W_xf"].shape
    lstm = torch.nn.LSTM(m, n, dtype=torch.float64)
    with torch.no_grad():
        lstm.weight_hh_l0.copy_(_stack(p, "W_h", "ifgo"))
        lstm.weight_ih_l0.copy_(_stack(p, "W_x", "ifgo"))
        lstm.bias_ih_l0.copy_(_stack(p, "b_", "ifgo"))
        lstm.bias_hh_l0.zero_()
    x = torch.from_numpy(np.array(x))
    weights = (lstm.weight_hh_l0, lstm.weight_ih_l0, lstm.bias_ih_l0)

    def work() -> Any:
        loss = 0.5 * (lstm(x)[0] ** 2).sum()
        return loss.detach(), torch.autograd.grad(loss, weights)

    work()
    return work
