"""Runs that are streamed, recomputed or interrupted, and matrices in place of a system."""

from __future__ import annotations

import itertools
import os
import pickle
import signal
import threading
import time
import tracemalloc
import warnings
from typing import Any

import numpy as np
import pytest
from flow_systems import Constant, Henon, exact_log_singular_values, product

import lstm_sym as ls
import lstm_sym.flow as flow
from lstm_sym.flow.states import EVERY, Recomputed

KERNEL = ls.Kernel(ls.LSTM)


def network(steps: int, hidden: int = 6, batch: tuple[int, ...] = ()) -> tuple[Any, np.ndarray]:
    p = KERNEL.parameters(hidden, 2, rng=0, gain=1.5)
    return p, np.random.default_rng(1).standard_normal((steps, *batch, 2))


# --- states that are not stored --------------------------------------------------------------------------


def test_recomputed_states_are_those_that_are_stored() -> None:
    p, x = network(3 * EVERY + 17)
    stored, lazy = (flow.run(KERNEL, p, x, store=store) for store in (True, False))
    assert isinstance(lazy.states, Recomputed)
    assert lazy.states.shape == stored.states.shape
    assert len(lazy) == len(stored)
    assert lazy.size == stored.size
    np.testing.assert_allclose(lazy.states[700:710], stored.states[700:710], rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.asarray(lazy.states), stored.states, rtol=0, atol=1e-12)
    np.testing.assert_allclose(lazy["f"], stored["f"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(lazy.states[-1], stored.states[-1], rtol=0, atol=1e-12)
    np.testing.assert_allclose(lazy.states[5:20:3, 2], stored.states[5:20:3, 2], rtol=0, atol=1e-12)
    assert lazy.states[10:10].shape == (0, stored.size)
    with pytest.raises(IndexError):
        lazy.states[len(lazy)]


def test_recomputing_gives_the_same_bits_in_any_order() -> None:
    p, x = network(5 * EVERY)
    forwards, backwards = (flow.run(KERNEL, p, x, store=False) for _ in range(2))
    late = backwards.states[4 * EVERY + 3 : 4 * EVERY + 9].copy()
    early = backwards.states[10:300].copy()
    np.testing.assert_array_equal(forwards.states[10:300], early)
    np.testing.assert_array_equal(np.asarray(forwards.states)[4 * EVERY + 3 : 4 * EVERY + 9], late)


@pytest.mark.parametrize("anchor", ["end", "start"])
def test_analyses_of_a_recomputed_run_are_those_of_a_stored_one(anchor: str) -> None:
    p, x = network(2 * EVERY + 5)
    stored, lazy = (flow.run(KERNEL, p, x, store=store) for store in (True, False))
    np.testing.assert_allclose(flow.lyapunov_spectrum(lazy), flow.lyapunov_spectrum(stored), rtol=0, atol=1e-12)
    for question in (("c", "c"), ("state", "state")):
        norms = [flow.gradient_norms(run, *question, anchor=anchor) for run in (lazy, stored)]
        spectra = [flow.singular_spectrum(run, *question, [3, 400], anchor=anchor) for run in (lazy, stored)]
        np.testing.assert_allclose(*norms, rtol=0, atol=1e-9)
        np.testing.assert_allclose(*spectra, rtol=0, atol=1e-8)


def test_large_runs_are_not_stored_and_memory_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstm_sym.flow.trajectories.STORED", 100_000)
    monkeypatch.setattr("lstm_sym.flow.chains.CHUNK", 2**21)
    p = KERNEL.bind(KERNEL.parameters(8, 1, rng=0))
    peaks = []
    for steps in (4_000, 16_000):
        x = np.broadcast_to(np.ones((1, 1)), (steps, 1))
        tracemalloc.start()
        run = flow.run(KERNEL, p, x)
        assert isinstance(run.states, Recomputed)
        found = flow.lyapunov_spectrum(run, k=2)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.certificate is not None
        assert found.certificate.steps == steps
    assert peaks[1] < 1.2 * peaks[0]


def test_a_memory_mapped_file_is_read_as_it_is_needed(tmp_path: Any) -> None:
    p, x = network(600)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    run = flow.run(KERNEL, p, mapped, store=False)
    assert np.shares_memory(run.inputs, mapped)
    np.testing.assert_array_equal(
        flow.lyapunov_spectrum(run, k=3), flow.lyapunov_spectrum(flow.run(KERNEL, p, x, store=False), k=3)
    )


def test_a_state_that_overflows_is_met_on_the_way_and_what_was_done_is_kept() -> None:
    blow = Constant(np.diag([4.0, 0.5]))
    with pytest.raises(FloatingPointError, match="after step 511 ") as stored:
        flow.run(blow, None, 600, [1.0, 1.0])
    assert len(stored.value.partial) == 511
    run = flow.run(blow, None, 600, [1.0, 1.0], store=False)
    with pytest.raises(flow.StateNotFiniteError, match="after step 511 ") as lazy:
        flow.lyapunov_spectrum(run)
    assert lazy.value.step == stored.value.step
    assert lazy.value.partial is None  # it was met in the first stretch of steps


# --- chunks that are read once ---------------------------------------------------------------------------


def test_a_stream_of_chunks_is_the_run_over_all_of_them() -> None:
    p, x = network(500)
    whole = flow.run(KERNEL, p, x)
    cuts = [0, 1, 130, 131, 400, 500]
    for analyse in (
        lambda run: flow.lyapunov_spectrum(run, k=4, transient=20),
        lambda run: flow.gradient_norms(run, "c", "c", anchor="start"),
        lambda run: flow.gradient_norms(run, "state", "h", norm="frobenius", anchor="start"),
        lambda run: flow.singular_spectrum(run, "h", "c", [500, 2, 131], anchor="start"),
    ):
        stream = flow.run(KERNEL, p, (x[a:b] for a, b in itertools.pairwise(cuts)))
        assert isinstance(stream, flow.Stream)
        np.testing.assert_allclose(analyse(stream), analyse(whole), rtol=0, atol=1e-9)
        assert stream.steps == 500


def test_a_stream_says_what_it_cannot_do() -> None:
    p, x = network(30)

    def stream() -> flow.Stream:
        return flow.run(KERNEL, p, iter([x[:10], x[10:]]))

    for call in (
        lambda: flow.gradient_norms(stream(), "c", "c"),
        lambda: flow.singular_spectrum(stream(), "c", "c", 3),
    ):
        with pytest.raises(ValueError, match=r"anchor 'end' goes back in time.*give an array"):
            call()
    with pytest.raises(ValueError, match="needs the run at hand"):
        flow.gradient_norms(stream(), "c", "c", path="direct", anchor="start")
    with pytest.raises(ValueError, match="horizons has 31: the run has only 30 steps"):
        flow.singular_spectrum(stream(), "c", "c", 31, anchor="start")
    with pytest.raises(ValueError, match="transient = 40: the run has only 30 steps"):
        flow.lyapunov_spectrum(stream(), transient=40)
    with pytest.raises(TypeError, match="no length"):
        len(stream())
    used = stream()
    flow.lyapunov_spectrum(used)
    with pytest.raises(ValueError, match="used already"):
        flow.lyapunov_spectrum(used)
    with pytest.raises(ValueError, match="no chunk"):
        flow.run(KERNEL, p, iter([]))
    assert repr(used) == "<Stream: steps of Kernel, state size 12, 30 done>"


def test_an_inconsistent_chunk_is_refused_with_its_place() -> None:
    p, x = network(30)
    with pytest.raises(ValueError, match=r"expected a last axis of 2"):
        flow.lyapunov_spectrum(flow.run(KERNEL, p, iter([x[:10], np.ones((5, 3))])))
    with pytest.raises(ValueError, match=r"the chunk after step 10 has steps of shape \(4, 2\): expected \(2,\)"):
        flow.lyapunov_spectrum(flow.run(KERNEL, p, iter([x[:10], np.ones((5, 4, 2))])))
    bad = np.ones((5, 2))
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"inputs\[3, 1\] is nan"):
        flow.lyapunov_spectrum(flow.run(KERNEL, p, iter([x[:10], bad])))


def test_a_stream_whose_state_overflows_keeps_what_was_done() -> None:
    stream = flow.run(Constant(np.diag([4.0, 0.5])), None, (np.zeros((100, 0)) for _ in range(6)), [1.0, 1.0])
    with pytest.raises(flow.StateNotFiniteError, match="after step 511 ") as caught:
        flow.lyapunov_spectrum(stream)
    np.testing.assert_allclose(caught.value.partial, np.log([4.0, 0.5]), rtol=0, atol=5e-3)
    assert caught.value.partial.certificate.steps == 500
    stream = flow.run(Constant(np.diag([4.0, 0.5])), None, (np.zeros((100, 0)) for _ in range(6)), [1.0, 1.0])
    with pytest.raises(flow.StateNotFiniteError) as caught:
        flow.gradient_norms(stream, "state", "state", anchor="start")
    np.testing.assert_allclose(caught.value.partial, np.log(4.0) * np.arange(1, 501), rtol=1e-13)


# --- matrices --------------------------------------------------------------------------------------------


def test_matrices_are_taken_as_they_are() -> None:
    A = np.random.default_rng(2).standard_normal((150, 4, 4))
    run = product(A)
    forms = (lambda: A, lambda: list(A), lambda: iter(A), lambda: iter([A[:100], A[100], A[101:]]))
    for form in forms:
        np.testing.assert_allclose(flow.lyapunov_spectrum(form()), flow.lyapunov_spectrum(run), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(
        flow.singular_spectrum(A, "state", "state", [1, 150]),
        flow.singular_spectrum(run, "state", "state", [1, 150]),
    )
    np.testing.assert_array_equal(
        flow.gradient_norms(A, "state", "state"), flow.gradient_norms(run, "state", "state")
    )
    many = np.random.default_rng(3).standard_normal((20, 3, 4, 4))
    assert flow.lyapunov_spectrum(many).shape == (3, 4)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (np.ones((5, 3, 4)), ValueError, r"shape \(5, 3, 4\): expected \(T, ..., S, S\)"),
        (np.full((5, 2, 2), np.nan), ValueError, r"the matrices\[0, 0, 0\] is nan"),
        (np.ones((0, 2, 2)), ValueError, "at least 1"),
        (np.eye(3), TypeError, "expected a Trajectory, as run returns it, or matrices"),
        (1j * np.ones((5, 2, 2)), ValueError, "complex"),
        ("matrices", TypeError, "expected a Trajectory"),
        (iter([]), ValueError, "no matrices"),
    ],
)
def test_other_things_are_refused(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        flow.lyapunov_spectrum(given)


# --- from the start, single precision, progress, interruption --------------------------------------------


@pytest.mark.parametrize("path", ["full", "direct", "total"])
@pytest.mark.parametrize(("of", "wrt"), [("c", "c"), ("h", "c"), ("state", "state"), ("state", "c")])
def test_from_the_start_it_is_the_product_from_the_start(path: str, of: str, wrt: str) -> None:
    p, x = network(12, hidden=3)
    run = flow.run(KERNEL, p, x)
    every = slice(None)
    spans = {"h": slice(0, 3), "c": slice(3, 6), "state": every}
    J = KERNEL.jacobian(p, x, run.previous, path="direct" if path == "direct" else "partial")
    P = np.eye(6)
    norms = flow.gradient_norms(run, of, wrt, path, anchor="start")
    frobenius = flow.gradient_norms(run, of, wrt, path, norm="frobenius", anchor="start")
    spectra = flow.singular_spectrum(run, of, wrt, range(1, 13), path, anchor="start")
    for k in range(1, 13):
        P = J[k - 1] @ P
        block = P[spans[of], spans[wrt]]
        expected = np.log(np.maximum(np.linalg.svd(block)[1], 1e-99))
        rank = np.count_nonzero(expected > -9)  # as far as the SVD of a plain product can tell
        np.testing.assert_allclose(spectra[k - 1][:rank], expected[:rank], rtol=0, atol=1e-10)
        assert norms[k - 1] == pytest.approx(expected[0], abs=1e-11)
        assert frobenius[k - 1] == pytest.approx(np.log(np.linalg.norm(block)), abs=1e-11)
    with pytest.raises(ValueError, match=r"unknown anchor 'begin'.*Known: end, start"):
        flow.gradient_norms(run, of, wrt, path, anchor="begin")
    with pytest.raises(ValueError, match=r"unknown norm 'max'.*Known: spectral, frobenius"):
        flow.gradient_norms(run, of, wrt, path, norm="max")


def test_frobenius_norms_from_the_end() -> None:
    A = np.random.default_rng(4).standard_normal((20, 4, 4))
    found, P = flow.gradient_norms(A, "state", "state", norm="frobenius"), np.eye(4)
    for k in range(20):
        P = P @ A[19 - k]
        assert found[k] == pytest.approx(np.log(np.linalg.norm(P)), abs=1e-12)


def test_only_the_leading_singular_values() -> None:
    A = np.random.default_rng(5).standard_normal((30, 5, 5))
    every = flow.singular_spectrum(A, "state", "state", [30, 2])
    np.testing.assert_array_equal(flow.singular_spectrum(A, "state", "state", [30, 2], k=2), every[:, :2])
    with pytest.raises(ValueError, match="k = 6: expected an integer from 1 to 5"):
        flow.singular_spectrum(A, "state", "state", 2, k=6)


def test_single_precision_where_asked() -> None:
    kernel = ls.Kernel(ls.LSTM)
    p = kernel.parameters(8, 2, rng=0, dtype=np.float32)
    x = np.random.default_rng(1).standard_normal((400, 2)).astype(np.float32)
    run = flow.run(kernel, p, x)
    assert run.dtype == np.float32
    double, single = (flow.lyapunov_spectrum(run, k=6, dtype=dtype) for dtype in (np.float64, np.float32))
    assert 1e-9 < np.abs(single - double).max() < 1e-4
    assert single.dtype == np.float64
    assert single.certificate is not None
    assert single.certificate.error is not None
    assert single.certificate.error > 1e-7
    with pytest.raises(TypeError, match="expected float64 or float32"):
        flow.lyapunov_spectrum(run, dtype="float16")
    with pytest.raises(TypeError, match="expected float64 or float32"):
        flow.lyapunov_spectrum(run, dtype="single precision")


def test_progress_is_told_and_ends_at_the_end() -> None:
    p, x = network(50)
    run = flow.run(KERNEL, p, x)
    for analyse in (
        lambda tell: flow.lyapunov_spectrum(run, progress=tell),
        lambda tell: flow.gradient_norms(run, "c", "c", progress=tell),
        lambda tell: flow.singular_spectrum(run, "c", "c", 50, progress=tell),
    ):
        told: list[tuple[int, int | None]] = []
        analyse(lambda done, total, told=told: told.append((done, total)))
        assert told[-1] == (50, 50)
        assert [done for done, _ in told] == sorted(done for done, _ in told)
    told = []
    flow.lyapunov_spectrum(flow.run(KERNEL, p, iter([x])), progress=lambda *given: told.append(given))
    assert told[-1] == (50, None)


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")
def test_an_interrupted_analysis_returns_what_is_done() -> None:
    def chunks() -> Any:
        for number in range(1000):
            if number == 5:
                os.kill(os.getpid(), signal.SIGINT)
            yield np.zeros((10, 0))

    def henon() -> flow.Stream:
        return flow.run(Henon(), None, chunks(), [0.1, 0.1])

    with pytest.warns(RuntimeWarning, match="interrupted: the result is that of the first 60 steps"):
        found = flow.lyapunov_spectrum(henon())
    assert found.certificate is not None
    assert found.certificate.steps == 60
    assert found.sum() == pytest.approx(np.log(0.3), abs=1e-12)
    with pytest.warns(RuntimeWarning, match="first 60 steps"):
        assert flow.gradient_norms(henon(), "state", "state", anchor="start").shape == (60,)
    with pytest.raises(KeyboardInterrupt):
        flow.lyapunov_spectrum(henon(), transient=500)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_signals_are_left_alone_in_other_threads() -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(flow.lyapunov_spectrum(np.ones((5, 1, 1)))))
    thread.start()
    thread.join()
    assert found[0] == pytest.approx(0, abs=1e-15)


def test_blocks_tell_the_sampling_error() -> None:
    rng = np.random.default_rng(6)
    spectra = [flow.lyapunov_spectrum(rng.standard_normal((800, 3, 3))) for _ in range(40)]
    assert spectra[0].blocks is not None
    assert spectra[0].blocks.shape == (8, 3)
    np.testing.assert_allclose(spectra[0].blocks.mean(axis=0), spectra[0], rtol=0, atol=1e-12)
    stated = np.mean([s.standard_error for s in spectra], axis=0)
    seen = np.std([np.asarray(s) for s in spectra], axis=0)
    assert (seen / stated > 0.6).all()
    assert (seen / stated < 1.6).all()
    assert "standard error at most, from 8 blocks of the run" in repr(spectra[0])
    assert flow.lyapunov_spectrum(np.ones((5, 1, 1))).blocks is None
    assert flow.lyapunov_spectrum(np.ones((5, 1, 1))).standard_error is None
    assert (2 * spectra[0]).blocks is None


def test_certificates_tell_the_cost_and_the_error() -> None:
    p, x = network(300, hidden=40)
    run = flow.run(KERNEL, p, x)
    start = time.perf_counter()
    found = flow.lyapunov_spectrum(run)
    seconds = time.perf_counter() - start
    finest = flow.lyapunov_spectrum(run, accuracy=1e-15)
    certificate = found.certificate
    assert certificate is not None
    assert certificate.accuracy == 1e-8
    assert certificate.error is not None
    assert certificate.error <= 1e-8
    assert 0 < np.abs(found - finest).max() <= 1e-8
    assert certificate.factorizations < finest.certificate.factorizations
    assert 0 < certificate.seconds <= seconds
    n, S = 40, 80
    pushes, folds, triangles = 2 * S * 2 * n * n, 2 * 7 * n * n, 2 * S**3 / 3
    least = 300 * (pushes + folds) + certificate.factorizations * triangles
    assert least <= certificate.flops < 1.6 * least
    assert 0 < certificate.rate < 2
    assert "of the product rate" in str(certificate)
    with pytest.raises(ValueError, match="accuracy = 0: expected a positive number"):
        flow.lyapunov_spectrum(run, accuracy=0)


def test_no_warning_is_raised_on_the_way() -> None:
    p, x = network(200)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        run = flow.run(KERNEL, p, x, store=False)
        flow.lyapunov_spectrum(run)
        flow.singular_spectrum(run, "state", "state", 200)
        flow.gradient_norms(run, "state", "c")


def test_results_and_runs_survive_pickling() -> None:
    p, x = network(200)
    run = flow.run(KERNEL, p, x)
    found = flow.lyapunov_spectrum(run)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again, found)
    assert str(again.certificate) == str(found.certificate)
    assert again.unit == found.unit
    np.testing.assert_array_equal(again.blocks, found.blocks)
    np.testing.assert_array_equal(flow.lyapunov_spectrum(pickle.loads(pickle.dumps(run))), found)


def test_jacobians_of_another_shape_or_kind_are_refused() -> None:
    class Wrong(Constant):
        def __init__(self, value: Any) -> None:
            super().__init__(np.eye(3))
            self.value = value

        def jacobian(self, parameters: Any, x: Any, state: Any) -> Any:
            return self.value

    for value in (np.ones(3), np.ones((3, 4)), 1j * np.eye(3), None):
        with pytest.raises(ValueError, match=r"Wrong.jacobian gives shape .* expected real numbers that broadcast"):
            flow.lyapunov_spectrum(flow.run(Wrong(value), None, 5, np.ones(3)))


@pytest.mark.parametrize("accuracy", [0.0, -1.0, 10.0, 1e300])
def test_an_accuracy_is_positive_and_at_most_one(accuracy: float) -> None:
    for call in (
        lambda: flow.lyapunov_spectrum(np.ones((5, 2, 2)), accuracy=accuracy),
        lambda: flow.singular_spectrum(np.ones((5, 2, 2)), "state", "state", 5, accuracy=accuracy),
    ):
        with pytest.raises(ValueError, match="expected a positive number of at most 1"):
            call()


@pytest.mark.parametrize("hidden", [4, 40])
def test_an_empty_batch_has_an_empty_answer(hidden: int) -> None:
    p = KERNEL.parameters(hidden, 2, rng=0)
    run = flow.run(KERNEL, p, np.ones((20, 0, 2)))
    assert flow.lyapunov_spectrum(run).shape == (0, 2 * hidden)
    assert flow.singular_spectrum(run, "c", "c", [3, 20]).shape == (2, 0, hidden)
    assert flow.gradient_norms(run, "c", "c").shape == (20, 0)


@pytest.mark.parametrize("store", [True, False])
def test_what_is_small_beside_the_rest_of_the_state_is_found_from_the_start_too(store: bool) -> None:
    """A saturated LSTM's h hangs on its c: begun with the whole state, its own small values drown."""
    p = KERNEL.parameters(5, 2, rng=0, b_f=8.0)
    x = np.random.default_rng(0).standard_normal((150, 2)) + 1
    run = flow.run(KERNEL, p, x, store=store)
    J = KERNEL.jacobian(p, x, run.previous)
    exact = exact_log_singular_values(J, 4000, slice(0, 5), slice(5, 10))
    assert exact[-1] < -90
    found = flow.singular_spectrum(run, "h", "c", [150, 3, 150], anchor="start")
    np.testing.assert_allclose(found[0], exact, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_allclose(
        found[1], exact_log_singular_values(J[:3], 4000, slice(0, 5), slice(5, 10)), atol=1e-12
    )


def test_the_block_that_a_state_depends_on_is_not_selected_last() -> None:
    p = KERNEL.parameters(5, 2, rng=1)
    p = {name: 5 * array for name, array in p.items()}
    x = np.random.default_rng(1).standard_normal((60, 2))
    run = flow.run(KERNEL, p, x)
    J = KERNEL.jacobian(p, x, run.previous)
    for lag in (3, 40):
        found = flow.singular_spectrum(run, "state", "h", lag)
        exact = exact_log_singular_values(J[60 - lag :], 8000, slice(0, 10), slice(0, 5))
        np.testing.assert_allclose(found, exact, rtol=0, atol=1e-8)
        vectors = flow.singular_vectors(run, "state", "h", lag)
        np.testing.assert_allclose(vectors.logs, exact, rtol=0, atol=1e-8)
        assert vectors.left.shape == (10, 5)
        assert vectors.right.shape == (5, 5)
