"""Shares of a gradient by path: against dense products and enumerated words, closed forms, long runs, refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from conftest import GRU, LEAKY, PEEPHOLE, PROJECTION

import lstm_sym as ls
from lstm_sym import cells
from lstm_sym.shares import path_norms

STACK = ls.stack(ls.LSTM, ls.RNN)
EVERY = [PEEPHOLE, GRU, LEAKY, PROJECTION, STACK, *(getattr(ls, name) for name in cells.__all__)]


def a_run(cell, T=20, n=3, batch=(), seed=0, **given):
    kernel = ls.Kernel(cell)
    p = kernel.parameters(hidden=n, inputs=2, rng=seed, **given)
    return ls.run(kernel, p, np.random.default_rng(seed + 1).standard_normal((T, *batch, 2)))


def one_step(orbit):
    """Every path's one-step state Jacobian from the printed terms, {label: (T, S, S)}."""
    kernel = orbit.system
    values = kernel.evaluate(orbit.parameters, orbit.inputs, orbit.previous)
    table = ls.paths(kernel.cell, "state", "state")
    numbers = {**orbit.parameters, **values}
    needed = (*kernel.cell.parameters, *kernel.cell.vectors)
    found = table.evaluate({name: numbers[name] for name in needed if name in numbers})
    shape = (len(orbit), orbit.size, orbit.size)
    return {label: np.broadcast_to(matrix, shape) for label, matrix in found.items()}


def product(matrices, size):
    """The latest leftmost."""
    whole = np.eye(size)
    for matrix in matrices:
        whole = matrix @ whole
    return whole


def parts(orbit, k):
    """ΣJ = D + Σ J_p: what of J_T ··· J_{T−k+1} first left D by p, from dense products, {label: (S, S)}."""
    steps, S = one_step(orbit), orbit.size
    full = sum(steps.values())
    direct = steps.get("direct", np.zeros_like(full))
    found = {"direct": product(direct[-k:], S)}
    for label in steps:
        if label != "direct":
            ways = []
            for j in range(len(orbit) - k, len(orbit)):
                ways.append(product(full[j + 1 :], S) @ steps[label][j] @ product(direct[len(orbit) - k : j], S))
            found[label] = sum(ways)
    return found


@pytest.mark.parametrize("cell", EVERY, ids=lambda cell: cell.name)
def test_against_dense_products(cell):
    orbit = a_run(cell, n=4 if "projection" in cell.name else 3)
    for of, wrt in [("state", "state"), (cell.states[-1], cell.states[-1]), (cell.states[0], cell.states[-1])]:
        found = ls.path_shares(orbit, of, wrt)
        spans = {"state": slice(None), **orbit.system.blocks(orbit.parameters)}
        for k in (1, 2, 7, 20):
            dense = {label: part[spans[of], spans[wrt]] for label, part in parts(orbit, k).items()}
            whole = sum(dense.values())
            for place, label in enumerate(found.labels):
                part = dense.get(label, np.zeros_like(whole))
                size = np.linalg.norm(part)
                np.testing.assert_allclose(np.exp(found.log_norms[k - 1, place]), size, rtol=1e-11, atol=1e-200)
                if np.linalg.norm(whole) > 1e-9 * sum(np.linalg.norm(other) for other in dense.values()):
                    expected = (part * whole).sum() / (whole**2).sum()
                    np.testing.assert_allclose(found[label][k - 1], expected, rtol=0, atol=1e-11)
                    np.testing.assert_allclose(np.exp(found.total[k - 1]), np.linalg.norm(whole), rtol=1e-9)
                else:
                    assert np.isnan(found[label][k - 1])


def test_every_word_of_paths():
    """∂state_T/∂state_{T−4} as the sum over all words of four paths, sorted by their first that is not direct."""
    orbit = a_run(ls.LSTM, T=4)
    steps, found = one_step(orbit), ls.path_shares(orbit)
    by_first = dict.fromkeys(found.labels, 0.0)
    for word in itertools.product(found.labels, repeat=4):
        first = next((label for label in word if label != "direct"), "direct")
        by_first[first] += product([steps[label][t] for t, label in enumerate(word)], 6)
    whole = product(orbit.system.jacobian(orbit.parameters, orbit.inputs, orbit.previous), 6)
    for place, label in enumerate(found.labels):
        expected = (by_first[label] * whole).sum() / (whole**2).sum()
        np.testing.assert_allclose(found.shares[-1, place], expected, rtol=0, atol=1e-13)


def test_paths_that_cancel_have_no_shares():
    """From c = n = 0 an sLSTM's stabiliser rescales nothing: what it does through f and i cancels."""
    found = ls.path_shares(a_run(ls.SLSTM), "h", "m")
    assert np.isfinite(found.shares[:-1]).all()
    assert np.isnan(found.shares[-1]).all()
    assert found.total[-1] < found.log_norms[-1].max() - 27


@pytest.mark.parametrize("path", ["full", "total"])
@pytest.mark.parametrize("cell", EVERY, ids=lambda cell: cell.name)
def test_they_add_up_and_the_total_is_the_gradient_norm(cell, path):
    orbit = a_run(cell, T=60, n=5, batch=(2,))
    for of, wrt in itertools.product(("state", cell.states[0]), ("state", cell.states[-1])):
        found = ls.path_shares(orbit, of, wrt, path)
        norms = ls.gradient_norms(orbit, of, wrt, path, norm="frobenius")
        some = ~np.isnan(found.shares).any(axis=-1)
        np.testing.assert_allclose(found.total[some], norms[some], rtol=0, atol=1e-11)
        assert found.shares.shape == found.passing.shape == (60, 2, len(found.labels))
        size = 1 + np.abs(found.shares[some]).sum(axis=-1)
        assert (np.abs(found.shares[some].sum(axis=-1) - 1) / size).max(initial=0.0) < 1e-13
        np.testing.assert_allclose(found.passing.sum(axis=-1)[some], 1, rtol=0, atol=1e-12)


def test_the_rest_of_the_product_is_the_path_through_h():
    """F25: the (c, c) block of the full product less the product of diag(f)."""
    orbit = a_run(ls.LSTM)
    found, jacobians = ls.path_shares(orbit, "c", "c"), sum(one_step(orbit).values())
    for k in (1, 2, 5, 20):
        block = product(jacobians[-k:], 6)[3:, 3:]
        direct = np.diag(np.prod(orbit["f"][-k:], axis=0))
        np.testing.assert_allclose(np.exp(found.detour[k - 1]), np.linalg.norm(block - direct), rtol=0, atol=1e-13)
        np.testing.assert_allclose(np.exp(found.log_norms[k - 1, 0]), np.linalg.norm(direct), rtol=1e-13)


def test_without_weights_everything_goes_directly():
    """F19: all weights zero, b_f = 1."""
    kernel = ls.Kernel(ls.LSTM)
    p = {name: np.zeros_like(array) for name, array in kernel.parameters(hidden=4, inputs=2).items()}
    p["b_f"] += 1.0
    found = ls.path_shares(ls.run(kernel, p, 100), "c", "c")
    assert (found["direct"] == 1.0).all()
    assert (found.shares[:, 1:] == 0.0).all()
    assert (found.detour == -np.inf).all()
    np.testing.assert_allclose(found.log_norms[-1, 0], -31.326168751822 + np.log(2), rtol=0, atol=1e-10)
    nothing = ls.path_shares(ls.run(kernel, p, 5), "c", "h")
    assert np.isnan(nothing.shares).all()
    assert (nothing.total == -np.inf).all()


def test_a_direct_path_far_below_the_smallest_double():
    orbit = a_run(ls.LSTM, T=10_000, n=4, b_f=0.0)
    found = ls.path_shares(orbit, "c", "c", cotangent=[1.0, 0.0, 0.0, 0.0])
    logs = np.cumsum(np.log(orbit["f"][::-1, 0]))
    np.testing.assert_allclose(found.log_norms[:, 0], logs, rtol=1e-13)
    assert found.log_norms[-1, 0] < -5000
    assert np.isfinite(found.total).all()
    assert found.total[-1] > found.log_norms[-1, 0] + 200
    np.testing.assert_allclose(found.shares.sum(axis=-1), 1, rtol=0, atol=1e-11)
    rows = ls.path_shares(orbit, "c", "c", lags=3000)
    np.testing.assert_allclose(
        rows.log_norms[:, 0],
        ls.gradient_norms(orbit, "c", "c", path="direct", norm="frobenius")[:3000],
        rtol=1e-12,
    )


def test_units_of_very_different_memory_keep_their_own_scale():
    """Rows of G that overtake one another over 4000 steps, each of them e^−2000 at times."""
    cell = ls.Cell("gate", "f = sigmoid(W_xf @ x + W_hf @ h_prev)\n h = f * h_prev", states="h")
    kernel = ls.Kernel(cell)
    x = np.where(np.arange(4000)[:, None] < 2000, [[-1.0, 1.0]], [[1.0, -1.0]])
    orbit = ls.run(kernel, {"W_xf": np.eye(2), "W_hf": np.zeros((2, 2))}, x, [1.0, 1.0])
    found = ls.path_shares(orbit, "h", "h")
    logs = np.cumsum(np.log(orbit["f"][::-1]), axis=0)
    np.testing.assert_allclose(found.total, 0.5 * np.logaddexp.reduce(2 * logs, axis=1), rtol=1e-12)
    assert (found["direct"] == 1.0).all()


def test_a_cotangent_is_back_propagated():
    orbit = a_run(ls.LSTM, batch=(3,))
    u = np.random.default_rng(5).standard_normal((3, 6))
    found = ls.path_shares(orbit, cotangent=u)
    for member in range(3):
        delta = u[member]
        for k in range(1, 21):
            t = 20 - k
            before = orbit.previous[t, member]
            delta = orbit.system.vjp(orbit.parameters, orbit.inputs[t, member], before, delta)
            np.testing.assert_allclose(
                found.total[k - 1, member], np.log(np.linalg.norm(delta)), rtol=0, atol=1e-12
            )
    single = ls.path_shares(orbit, "c", "c", cotangent=[0.0, 1.0, 0.0])
    np.testing.assert_allclose(
        single.log_norms[..., 0], np.cumsum(np.log(orbit["f"][::-1, :, 1]), axis=0), atol=1e-12
    )


def test_what_a_step_passes_on():
    orbit = a_run(ls.LSTM)
    steps, found, k = one_step(orbit), ls.path_shares(orbit, "c", "c"), 6
    full = sum(steps.values())
    after = product(full[-k + 1 :], 6)[3:]
    whole = after @ full[-k]
    for label in found.labels:
        expected = ((after @ steps[label][-k]) * whole).sum() / (whole**2).sum()
        np.testing.assert_allclose(found.passing[k - 1, found.labels.index(label)], expected, rtol=0, atol=1e-14)


def test_a_run_that_is_not_stored_and_a_part_of_the_lags():
    orbit = a_run(ls.LSTM, T=1200)
    stored = ls.path_shares(orbit, "c", "c")
    again = ls.run(orbit.system, orbit.parameters, orbit.inputs, store=False)
    done = []
    recomputed = ls.path_shares(again, "c", "c", lags=700, progress=lambda *given: done.append(given))
    np.testing.assert_allclose(recomputed.shares, stored.shares[:700], rtol=0, atol=1e-13)
    assert len(recomputed) == 700
    assert done[-1] == (700, 700)


@pytest.mark.parametrize("norm", ["spectral", "frobenius"])
def test_norms_of_the_paths_of_a_step(norm):
    orbit = a_run(GRU, batch=())
    found, steps = path_norms(orbit, norm=norm), one_step(orbit)
    assert list(found) == ["direct", "z", "n", "r, n"]
    for label, logs in found.items():
        sizes = np.linalg.norm(steps[label], 2 if norm == "spectral" else None, axis=(-2, -1))
        np.testing.assert_allclose(np.exp(logs), sizes, rtol=1e-13)
    alone = path_norms(a_run(ls.LSTM, batch=(2,)), "c", "c")
    assert alone["direct"].shape == (20, 2)
    assert (alone["o"] == -np.inf).all()


def test_printing():
    text = repr(ls.path_shares(a_run(ls.LSTM, T=100), "c", "c"))
    assert text.splitlines()[0].split()[-3:] == ["1", "10", "100"]
    assert "directly all the way" in text
    assert "first through the forget gate f" in text
    assert "-0.0000" not in text
    many = repr(ls.path_shares(a_run(ls.SLSTM, batch=(2,)), "h", "c", path="total"))
    assert "others together" in many
    assert many.startswith("share of dh_T/dc_{T−k}")


def test_refusals():
    orbit = a_run(ls.LSTM)
    with pytest.raises(KeyError, match="unknown state block wrt = 'd'"):
        ls.path_shares(orbit, "c", "d")
    with pytest.raises(KeyError, match="Known: full, total"):
        ls.path_shares(orbit, "c", "c", path="direct")
    with pytest.raises(ValueError, match="lags = 21: expected from 1 to 20"):
        ls.path_shares(orbit, lags=21)
    with pytest.raises(ValueError, match=r"cotangent has shape \(2,\)"):
        ls.path_shares(orbit, "c", "c", cotangent=[1.0, 2.0])
    with pytest.raises(ValueError, match=r"cotangent has shape \(2, 3\): expected \(3,\)"):
        ls.path_shares(orbit, "c", "c", cotangent=np.ones((2, 3)))
    with pytest.raises(TypeError, match="has no equations: expected a run of a Kernel"):
        ls.path_shares(np.ones((4, 2, 2)))
    with pytest.raises(TypeError, match="expected a Trajectory"):
        ls.path_shares(orbit.system)
    with pytest.raises(ValueError, match="read once"):
        ls.path_shares(ls.run(orbit.system, orbit.parameters, iter([np.ones((3, 2))])))
    with pytest.raises(KeyError, match="Known: spectral, frobenius"):
        path_norms(orbit, norm="nuclear")
    np.testing.assert_array_equal(ls.path_shares(a_run(GRU))["r", "n"], ls.path_shares(a_run(GRU))["r,n"])
    with pytest.raises(KeyError, match="unknown path 'k'"):
        ls.path_shares(orbit, lags=2)["k"]
