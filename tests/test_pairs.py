"""Bidirectional pairs: two runs, one of them backwards; against complex steps and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import lstm_sym as ls

RNG = np.random.default_rng(0)
X = RNG.standard_normal((7, 2, 3))
WEIGHT = RNG.standard_normal((7, 2, 8))
PAIR = ls.bidirectional(ls.LSTM)


def squares(states):
    return 0.5 * float((WEIGHT * states["h"] ** 2).sum()), {"h": WEIGHT * states["h"]}


def test_the_backward_run_reads_the_inputs_from_the_end():
    p = PAIR.parameters(4, 3, rng=1)
    found = PAIR.run(p, X)
    kernel = ls.Kernel(ls.LSTM)
    assert np.array_equal(found["h"][..., :4], kernel.unroll(p["forward"], X)[..., :4])
    assert np.array_equal(found["h"][..., 4:], kernel.unroll(p["backward"], X[::-1])[::-1][..., :4])
    assert len(found) == 7
    assert ls.gradient_norms(found.backward, "c", "c").shape == (7, 2)


def test_gradient_against_complex_step():
    p = PAIR.parameters(4, 3, rng=1)
    found = PAIR.gradient(p, X, squares)
    places = [("forward", "W_hf", (1, 2)), ("backward", "W_xg", (0, 1)), ("backward", "b_o", (3,))]
    for direction, name, place in places:
        moved = {d: {k: v.astype(complex) for k, v in values.items()} for d, values in p.items()}
        moved[direction][name][place] += 1e-30j
        h = PAIR.run(moved, X)["h"]
        exact = 0.5 * (WEIGHT * h**2).sum().imag / 1e-30
        assert abs(found.parameters[direction][name][place] - exact) <= 1e-13 * max(1, abs(exact))
    x = X.astype(complex)
    x[2, 1, 0] += 1e-30j
    exact = 0.5 * (WEIGHT * PAIR.run(p, x)["h"] ** 2).sum().imag / 1e-30
    assert abs(found.inputs[2, 1, 0] - exact) <= 1e-13 * max(1, abs(exact))


def test_against_pytorch():
    torch = pytest.importorskip("torch")
    net = torch.nn.LSTM(3, 4, bidirectional=True, dtype=torch.float64)
    p = {}
    for direction, ending in (("forward", ""), ("backward", "_reverse")):
        values = {}
        for k, gate in enumerate("ifgo"):
            rows = slice(4 * k, 4 * k + 4)
            values[f"W_x{gate}"] = getattr(net, f"weight_ih_l0{ending}")[rows].detach().numpy()
            values[f"W_h{gate}"] = getattr(net, f"weight_hh_l0{ending}")[rows].detach().numpy()
            both = getattr(net, f"bias_ih_l0{ending}") + getattr(net, f"bias_hh_l0{ending}")
            values[f"b_{gate}"] = both[rows].detach().numpy()
        p[direction] = values
    x = torch.tensor(X, requires_grad=True)
    h, _ = net(x)
    (0.5 * torch.tensor(WEIGHT) * h**2).sum().backward()
    found = PAIR.gradient(p, X, squares)
    assert np.abs(PAIR.run(p, X)["h"] - h.detach().numpy()).max() <= 1e-14
    assert np.abs(found.inputs - x.grad.numpy()).max() <= 1e-12 * np.abs(found.inputs).max()
    for direction, ending in (("forward", ""), ("backward", "_reverse")):
        theirs = getattr(net, f"weight_hh_l0{ending}").grad.numpy()
        ours = np.concatenate([found.parameters[direction][f"W_h{gate}"] for gate in "ifgo"])
        assert np.abs(ours - theirs).max() <= 1e-12 * np.abs(theirs).max()


def test_texts_and_jacobians_of_both_directions():
    assert "hₜ₊₁" in repr(PAIR)
    assert "h_{t+1}" in PAIR.latex()
    assert str(PAIR.jacobians["backward"]["c", "c"]) == "diag(f)"
    mixed = ls.bidirectional(ls.LSTM, ls.GRU)
    assert mixed.cells["backward"] is ls.GRU


def test_refusals():
    p = PAIR.parameters(4, 3, rng=1)
    with pytest.raises(ValueError, match="forward and backward"):
        PAIR.run(p["forward"], X)
    with pytest.raises(ValueError, match="Known: h, c"):
        PAIR.gradient(p, X, {"q": 1.0})
    with pytest.raises(ValueError, match="both directions side by side"):
        PAIR.gradient(p, X, {"h": np.ones((7, 2, 4))})
    with pytest.raises(TypeError, match="expected a Cell"):
        ls.bidirectional("LSTM")
