"""Singular spectra against exact arithmetic, and their edges."""

from __future__ import annotations

import numpy as np
import pytest
from flow_systems import LinearMaps, Toy, exact_log_singular_values, product
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_sym.flow as flow

BLOCKS = {"h": slice(0, 4), "c": slice(4, 10)}


def ginibre(seed: int, steps: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((steps, size, size)) / np.sqrt(size)


@pytest.mark.parametrize(("of", "wrt"), [("state", "state"), ("h", "h"), ("h", "c"), ("c", "h"), ("c", "state")])
def test_agrees_with_exact_arithmetic_after_1000_steps(of: str, wrt: str) -> None:
    A = ginibre(1, 1000, 10)
    found = flow.singular_spectrum(product(A, BLOCKS), of, wrt, 1000)
    spans = {"state": None, **BLOCKS}
    np.testing.assert_allclose(found, exact_log_singular_values(A, 8000, spans[of], spans[wrt]), rtol=0, atol=2e-11)


@pytest.mark.parametrize("side", ["rows", "columns"])
def test_agrees_over_thousands_of_nats(side: str) -> None:
    D = np.exp(np.linspace(-7, 4, 8))
    A = ginibre(2, 1000, 8) + 3 * np.eye(8)
    A = D[:, None] * A if side == "rows" else A * D
    found = flow.singular_spectrum(product(A, closed=True), "state", "state", [1000])[0]
    assert found[0] > 4000
    assert found[-1] < -5000
    np.testing.assert_allclose(found, exact_log_singular_values(A, 40000), rtol=0, atol=5e-10)


@pytest.mark.parametrize("order", [1, -1])
def test_diagonal_maps_of_any_order_are_exact(order: int) -> None:
    logs = np.linspace(-7, 4, 8)[::order]
    found = flow.singular_spectrum(product(np.tile(np.diag(np.exp(logs)), (1000, 1, 1))), "state", "state", 1000)
    np.testing.assert_allclose(found, np.sort(1000 * logs)[::-1], rtol=0, atol=1e-11)


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize(("size", "accuracy"), [(2, 1e-11), (3, 1e-9), (4, 2e-8)])
def test_a_jordan_block(size: int, accuracy: float, transpose: bool) -> None:
    J = 0.9 * np.eye(size) + np.eye(size, k=1)
    A = np.tile(J.T if transpose else J, (1000, 1, 1))
    found = flow.singular_spectrum(product(A), "state", "state", [10, 1000])
    np.testing.assert_allclose(found[0], exact_log_singular_values(A[:10], 2000), rtol=0, atol=1e-13)
    np.testing.assert_allclose(found[1], exact_log_singular_values(A, 4000), rtol=0, atol=accuracy)


def test_F3_orthogonal_maps_have_unit_singular_values_throughout() -> None:
    W = np.linalg.qr(np.random.default_rng(3).standard_normal((64, 64)))[0]
    found = flow.singular_spectrum(product(np.tile(W, (1000, 1, 1))), "state", "state", 1000)
    np.testing.assert_allclose(found, 0, atol=1e-12)


def test_adjoint_products_have_the_same_singular_values_and_pushing_transposes_forward_does_not() -> None:
    A = ginibre(4, 500, 12)

    def spectrum(B: np.ndarray) -> np.ndarray:
        return np.asarray(flow.singular_spectrum(product(B), "state", "state", 500))

    transposed = A.swapaxes(-1, -2)
    np.testing.assert_allclose(spectrum(transposed[::-1]), spectrum(A), rtol=0, atol=1e-10)
    assert np.abs(spectrum(transposed) - spectrum(A)).max() > 0.1


def test_horizons_are_answered_in_the_order_given_and_an_integer_drops_their_axis() -> None:
    run = product(ginibre(5, 30, 4), {"h": slice(0, 1), "c": slice(1, 4)})
    many = flow.singular_spectrum(run, "state", "c", [30, 1, 7, 7])
    assert many.shape == (4, 3)
    for row, k in zip(many, [30, 1, 7, 7], strict=True):
        np.testing.assert_array_equal(row, flow.singular_spectrum(run, "state", "c", k))
    np.testing.assert_array_equal(flow.singular_spectrum(run, "state", "c", np.array([7]))[0], many[2])
    assert flow.singular_spectrum(run, "h", "c", np.int64(3)).shape == (1,)


@pytest.mark.parametrize("bad", [0, 31, -1, 2.5, [1, 2.0], True, [], "many", None, [3, 31]])
def test_horizons_outside_the_run_are_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="from 1 to T = 30"):
        flow.singular_spectrum(product(ginibre(5, 30, 4)), "state", "state", bad)  # type: ignore[arg-type]


def test_the_smallest_cases() -> None:
    assert flow.singular_spectrum(product([[[-2.0]]]), "state", "state", 1)[0] == pytest.approx(
        np.log(2), abs=1e-15
    )
    A = ginibre(6, 1, 5)
    expected = np.log(np.linalg.svd(A[0])[1])
    np.testing.assert_allclose(flow.singular_spectrum(product(A), "state", "state", 1), expected, atol=1e-14)


def test_rank_lost_on_the_way_is_minus_infinity_and_the_rest_stays_exact() -> None:
    A = ginibre(7, 60, 6)
    U, s, V = np.linalg.svd(A[30])
    A[30] = (U[:, :4] * s[:4]) @ V[:4]  # singular up to rounding
    found = flow.singular_spectrum(product(A), "state", "state", [10, 29, 30, 60])
    assert np.isfinite(found[:2]).all()
    assert np.isneginf(found[2:, 4:]).all()
    assert found.certificate is not None
    assert found.certificate.determinant_gap == pytest.approx(0, abs=1e-10)
    np.testing.assert_allclose(found[3, :4], exact_log_singular_values(A, 4000)[:4], rtol=0, atol=1e-11)


def test_a_singular_map_next_to_an_independent_direction_loses_only_its_own() -> None:
    A = np.array([[[1.0, 1, 0], [0, 0, 0], [0, 0, 1e-200]]] * 20)
    found = flow.singular_spectrum(product(A), "state", "state", 20)
    np.testing.assert_allclose(found[:2], [np.log(2) / 2, 20 * np.log(1e-200)], rtol=1e-13)
    assert found[2] == -np.inf


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("side", ["rows", "columns", "both"])
def test_saturated_units_are_resolved(side: str, closed: bool) -> None:
    rng = np.random.default_rng(14)
    rows, columns = 10.0 ** rng.uniform(-6 if side == "both" else -25, 0, (2, 100, 6))
    A = rng.standard_normal((100, 6, 6)) + 2 * np.eye(6)
    A = A * (rows[:, :, None] if side != "columns" else 1) * (columns[:, None] if side != "rows" else 1)
    determinant = np.linalg.slogdet(A)[1].sum()
    run = product(A, closed=closed)
    found = flow.singular_spectrum(run, "state", "state", 100)
    np.testing.assert_allclose(found, exact_log_singular_values(A, 80000), rtol=0, atol=1e-9)
    assert flow.lyapunov_spectrum(run).sum() * 100 == pytest.approx(determinant, abs=1e-9)


def test_a_regular_step_beyond_double_precision_is_kept_and_its_certificate_says_so() -> None:
    """A rotated diag(1, 1e-20): as an array of doubles it is singular to rounding, whatever is done."""
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((2, 2)))[0]
    A = np.array([Q @ np.diag([1.0, 1e-20]) @ Q.T] * 3)

    class Known(LinearMaps):
        def log_determinant(self, parameters: object, x: np.ndarray, state: np.ndarray) -> np.ndarray:
            return np.full(x.shape[:-1], np.log(1e-20))

    run = flow.run(Known(A), None, np.arange(3.0)[:, None], np.zeros(2))
    for found in (flow.singular_spectrum(run, "state", "state", 3), flow.lyapunov_spectrum(run)):
        assert np.isfinite(found[0])
        assert found.certificate is not None
        assert found.certificate.determinant_gap > 1
    assert flow.singular_spectrum(product(A), "state", "state", 3)[1] == -np.inf


def test_decoupled_parts_do_not_drown_each_other() -> None:
    A = np.zeros((2000, 5, 5))
    A[:, :2, :2] = 3 * ginibre(8, 2000, 2)
    A[:, 2:, 2:] = 0.1 * ginibre(9, 2000, 3)
    run = product(A, {"fast": slice(0, 2), "slow": slice(2, 5)})
    fast, slow = (
        flow.singular_spectrum(product(part), "state", "state", 2000) for part in (A[:, :2, :2], A[:, 2:, 2:])
    )
    assert fast[0] - slow[0] > 5000
    for of, wrt, expected in [
        ("fast", "fast", fast),
        ("slow", "slow", slow),
        ("state", "slow", slow),
        ("slow", "state", slow),
    ]:
        np.testing.assert_allclose(flow.singular_spectrum(run, of, wrt, 2000), expected, rtol=0, atol=1e-10)
    assert np.isneginf(flow.singular_spectrum(run, "slow", "fast", [1, 2000])).all()
    everything = np.sort(np.concatenate([fast, slow]))[::-1]
    np.testing.assert_allclose(flow.singular_spectrum(run, "state", "state", 2000), everything, rtol=0, atol=1e-10)


def test_a_layer_that_only_listens_keeps_its_own_spectrum() -> None:
    A = ginibre(10, 1500, 5)
    A[:, :2, 2:] = 0.0  # the first two drive the others
    A[:, 2:, 2:] *= 0.1
    A[:, :2, :2] *= 3.0
    run = product(A, {"one": slice(0, 2), "two": slice(2, 5)})
    own = flow.singular_spectrum(product(A[:, 2:, 2:]), "state", "state", 1500)
    np.testing.assert_allclose(flow.singular_spectrum(run, "two", "two", 1500), own, rtol=0, atol=1e-10)
    np.testing.assert_allclose(flow.gradient_norms(run, "two", "two")[-1], own[0], rtol=0, atol=1e-9)
    assert np.isneginf(flow.gradient_norms(run, "one", "two")).all()


def test_a_batch_is_its_members() -> None:
    A = ginibre(11, 40 * 6, 4).reshape(40, 2, 3, 4, 4)
    A[20, 1, 2] = np.outer([1, 2, 3, 4], [1, -1, 1, 2])
    blocks = {"h": slice(0, 2), "c": slice(2, 4)}
    together = product(A, blocks)
    for of, wrt in [("state", "state"), ("h", "c")]:
        many = flow.singular_spectrum(together, of, wrt, [40, 5])
        norms = flow.gradient_norms(together, of, wrt)
        assert many.shape[:3] == (2, 2, 3)
        assert norms.shape == (40, 2, 3)
        for i, j in np.ndindex(2, 3):
            one = product(A[:, i, j], blocks)
            np.testing.assert_allclose(many[:, i, j], flow.singular_spectrum(one, of, wrt, [40, 5]), atol=1e-11)
            np.testing.assert_allclose(norms[:, i, j], flow.gradient_norms(one, of, wrt), atol=1e-11)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 6), steps=st.integers(1, 60), spread=st.floats(0, 6))
def test_graded_products_agree_with_exact_arithmetic(seed: int, size: int, steps: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((steps, size, size)) + 2 * np.eye(size)
    A = A * np.exp(rng.uniform(-spread, spread, (steps, 1, size)))
    condition = np.linalg.cond(A).max()
    found = flow.singular_spectrum(product(A, closed=True), "state", "state", steps)
    exact = exact_log_singular_values(A, 4000)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-12 + 1e-13 * condition)


def test_results_are_arrays_with_a_certificate_and_a_brief_repr() -> None:
    found = flow.singular_spectrum(product(ginibre(12, 50, 6), closed=True), "state", "state", [50])
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.float64
    assert found.certificate is not None
    assert found.certificate.closed_form
    assert found.certificate.steps == 50
    assert found.certificate.factorizations >= 50
    assert 0 <= found.certificate.determinant_gap < 1e-11
    assert found.certificate.determinant == pytest.approx(found.sum(), abs=1e-11)
    assert (2 * found).certificate is None
    lines = repr(found).splitlines()
    assert lines[-1].startswith("certificate: |sum − log|det|| = ")
    assert len(lines) <= 3
    part = flow.singular_spectrum(product(ginibre(12, 50, 6), BLOCKS), "h", "h", [50])
    assert part.certificate is not None
    assert part.certificate.determinant_gap is None


def toy(steps: int = 40) -> tuple[Toy, flow.Trajectory]:
    rng = np.random.default_rng(13)
    system = Toy(rng.standard_normal((2, 2)) / 3, rng.standard_normal((2, 2)) / 3)
    return system, flow.run(system, None, rng.uniform(-1, 1, (steps, 4)), np.ones(4))


def test_path_direct_is_the_product_of_the_direct_parts() -> None:
    _, run = toy()
    a, f = run["a"], run["f"]
    logs = np.cumsum(np.log(np.abs(f[::-1])), axis=0)
    np.testing.assert_allclose(flow.gradient_norms(run, "c", "c", "direct"), logs.max(axis=-1), atol=1e-12)
    found = flow.singular_spectrum(run, "c", "c", [40, 3], "direct")
    np.testing.assert_allclose(found, -np.sort(-logs[[39, 2]], axis=-1), atol=1e-12)
    last = np.log(np.abs(a[-1]))
    np.testing.assert_allclose(
        flow.singular_spectrum(run, "h", "c", 40, "direct"),
        -np.sort(-(last + np.log(np.abs(f[:-1])).sum(axis=0))),
        atol=1e-12,
    )
    assert np.isneginf(flow.gradient_norms(run, "h", "h", "direct")).all()
    D = np.zeros((40, 4, 4))
    every = np.arange(2)
    D[:, every, every + 2], D[:, every + 2, every + 2] = a, f
    expected = flow.singular_spectrum(product(D), "state", "state", [1, 40])
    np.testing.assert_allclose(
        flow.singular_spectrum(run, "state", "state", [1, 40], "direct"), expected, atol=1e-12
    )
    norms = flow.gradient_norms(run, "state", "state", "direct")
    np.testing.assert_allclose(norms[[0, 39]], expected[:, 0], atol=1e-12)


@pytest.mark.parametrize("of", ["h", "c", "state"])
def test_path_total_adds_the_effect_within_the_step(of: str) -> None:
    system, run = toy(12)
    rows = {"h": slice(0, 2), "c": slice(2, 4), "state": slice(0, 4)}[of]
    P = np.eye(4)
    norms = flow.gradient_norms(run, of, "c", "total")
    spectra = flow.singular_spectrum(run, of, "c", range(1, 13), "total")
    for k in range(1, 13):
        P = P @ system.jacobian(None, run.inputs[12 - k], None)
        E = system.within(None, run.inputs[11 - k], None, "c") if k < 12 else np.eye(4)[:, 2:]
        expected = np.log(np.linalg.svd((P @ E)[rows])[1])
        np.testing.assert_allclose(spectra[k - 1], expected, atol=1e-12)
        assert norms[k - 1] == pytest.approx(expected[0], abs=1e-13)
    full = flow.singular_spectrum(run, of, "c", 12)
    np.testing.assert_allclose(spectra[-1], full, atol=1e-13)
    np.testing.assert_array_equal(
        flow.singular_spectrum(run, of, "state", 5, "total"), flow.singular_spectrum(run, of, "state", 5)
    )


def test_unknown_names_list_the_known_and_missing_abilities_say_so() -> None:
    _, run = toy(5)
    for call in (
        lambda **k: flow.gradient_norms(run, **k),
        lambda **k: flow.singular_spectrum(run, horizons=1, **k),
    ):
        with pytest.raises(ValueError, match=r"of = 'q'.*Known: state, h, c"):
            call(of="q", wrt="h")
        with pytest.raises(KeyError, match=r"'hc'.*Known: state, h, c"):
            call(of="h", wrt="hc")
        with pytest.raises(
            ValueError, match=r"unknown path 'ful'.*Did you mean 'full'.*Known: full, direct, total"
        ):
            call(of="h", wrt="h", path="ful")
    bare = product(ginibre(1, 3, 4), {"h": slice(0, 2), "c": slice(2, 4)})
    with pytest.raises(ValueError, match=rf"path 'direct' needs {LinearMaps.__name__}.direct"):
        flow.gradient_norms(bare, "h", "h", "direct")
    with pytest.raises(ValueError, match=r"path 'total' needs LinearMaps.within"):
        flow.singular_spectrum(bare, "h", "c", 1, "total")
