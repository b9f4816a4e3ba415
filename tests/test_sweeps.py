"""Sweeps here, in workers, in threads and on a cluster: the same numbers, whatever happens on the way."""

from __future__ import annotations

import functools
import importlib
import io
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import sweep_functions as f
from sweep_functions import contents

import lstm_sym as ls
from lstm_sym.sweeps import archives, dispatching
from lstm_sym.sweeps.evaluating import Call, Item, evaluate
from lstm_sym.sweeps.identities import generator

GOLDEN = [[0.7764306103270161, 0.25574187351301514], [0.18971825813984367, 0.008178099664799432]]
GRID = {"gain": [0.5, 1.0, 1.5], "n": [1, 2]}


@pytest.fixture(autouse=True)
def calls():
    f.CALLS.clear()
    return f.CALLS


def noisy(**options):
    return ls.sweep(f.noisy, GRID, seeds=3, seed=11, **options)


def same(one, other):
    assert one.names == other.names
    for name in one.names:
        assert one[name].dtype == other[name].dtype
        assert one[name].tobytes() == other[name].tobytes()
    assert one.failures == other.failures


# --- executors that are awkward ----------------------------------------------------------------------------------


class Immediate(Executor):
    """Works within submit; keeps count."""

    def __init__(self):
        self.sizes = []

    def submit(self, function, *arguments):
        self.sizes.append(len(arguments[1]))
        future = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


class Scrambled(Executor):
    """One thread, which takes the last or any of what waits."""

    def __init__(self, choose):
        self.choose, self.waiting, self.most, self.here = choose, [], 0, threading.Condition()
        threading.Thread(target=self.work, daemon=True).start()

    def submit(self, function, *arguments):
        future = Future()
        with self.here:
            self.waiting.append((future, function, arguments))
            self.most = max(self.most, len(self.waiting))
            self.here.notify()
        return future

    def work(self):
        while True:
            with self.here:
                self.here.wait_for(lambda: self.waiting)
                future, function, arguments = self.waiting.pop(self.choose(len(self.waiting)))
            future.set_result(function(*arguments))


class Moody(Immediate):
    """Loses every batch of more than one point."""

    def submit(self, function, *arguments):
        if len(arguments[1]) > 1:
            future = Future()
            future.set_exception(RuntimeError("lost on the way"))
            return future
        return super().submit(function, *arguments)


# --- the same numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [2, 3])
def test_numbers_do_not_depend_on_the_number_of_workers(workers):
    same(noisy(), noisy(n_jobs=workers))


def test_numbers_do_not_depend_on_executor_or_order():
    alone = noisy()
    with ThreadPoolExecutor(3) as threads:
        same(alone, noisy(executor=threads))
    same(alone, noisy(executor=Immediate()))
    same(alone, noisy(executor=Scrambled(lambda count: count - 1)))
    same(alone, noisy(executor=Scrambled(random.Random(1).randrange)))


@pytest.mark.filterwarnings("ignore::UserWarning:distributed")
def test_numbers_on_a_cluster():
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=2, processes=True, dashboard_address=":0")
    with cluster, distributed.Client(cluster) as client:
        same(noisy(), noisy(executor=client.get_executor()))
        found = ls.sweep(lambda a: 1 / a, {"a": [0, 1, 2]}, executor=client.get_executor())
    assert found["value"][1:, 0].tolist() == [1.0, 0.5]
    assert found.failures[0].error == "ZeroDivisionError"


def test_numbers_stay_when_the_grid_grows_or_is_written_otherwise():
    small = ls.sweep(f.draw, {"a": [1, 2]}, seeds=2, seed=3)["value"]
    large = ls.sweep(f.draw, {"a": [0.5, 2.0, 1.0]}, seeds=5, seed=3)["value"]
    assert np.array_equal(small, large[[2, 1], :2])
    fixed = ls.sweep(f.draw, {"a": [1, 2]}, seeds=2, seed=3, constants={"b": 7})["value"]
    varied = ls.sweep(f.draw, {"b": [6, 7], "a": [2, 1]}, seeds=2, seed=3)["value"]
    assert np.array_equal(fixed, varied[1, ::-1])
    assert len({*small.flat, *fixed.flat, *ls.sweep(f.draw, {"a": [1, 2]}, seeds=2, seed=4)["value"].flat}) == 12


def test_random_numbers_are_these():
    """As in all versions to come: results are reproduced years later."""
    found = ls.sweep(f.draw, {"a": [1, 2]}, seeds=2, seed=3)
    assert found["value"].tolist() == GOLDEN
    key = bytes(range(32))
    words = [int.from_bytes(key[k : k + 4], "little") for k in range(0, 32, 4)]
    other = np.random.Generator(np.random.PCG64(np.random.SeedSequence(5, spawn_key=words)))
    assert generator(5, key).random() == other.random()


def test_paired_replicates_share_their_random_numbers():
    paired = ls.sweep(f.draw, {"a": [1, 2, 3]}, seeds=4, seed=3, paired=True)["value"]
    assert (paired == paired[0]).all()
    assert len(set(paired[0])) == 4
    assert not set(paired.flat) & set(ls.sweep(f.draw, {"a": [1, 2, 3]}, seeds=4, seed=3)["value"].flat)
    assert np.array_equal(paired, ls.sweep(f.draw, {"a": [4, 5, 6]}, seeds=4, seed=3, paired=True)["value"])


def test_many_draws_are_independent_and_uniform():
    values = ls.sweep(f.draw, {"a": list(range(500)), "b": [0, 1]}, seeds=2)["value"].reshape(1000, 2)
    assert np.unique(values).size == 2000
    assert abs(values.mean() - 0.5) < 4.5 / np.sqrt(12 * 2000)
    assert abs(np.corrcoef(values.T)[0, 1]) < 4.5 / np.sqrt(1000)


# --- results -----------------------------------------------------------------------------------------------------


def test_results_have_named_axes():
    found = noisy()
    assert {name: values.tolist() for name, values in found.axes.items()} == {**GRID, "seed": [0, 1, 2]}
    assert list(found.axes) == ["gain", "n", "seed"]
    assert {name: found[name].shape for name in found.names} == {
        "path": (3, 2, 3, 4),
        "twice": (3, 2, 3),
        "phase": (3, 2, 3),
    }
    assert [found[name].dtype.kind for name in ("path", "twice", "phase")] == ["f", "i", "c"]
    assert np.array_equal(found["twice"][:, 1], np.full((3, 3), 4))
    assert (found.done, found.total) == (18, 18)
    with pytest.raises(KeyError, match="Did you mean 'path'"):
        found["pth"]
    with pytest.raises(ValueError, match="read-only"):
        found["path"][:] = 0


def test_means_and_standard_errors():
    found = noisy()
    assert np.allclose(found.mean("path"), found["path"].mean(axis=2), rtol=1e-15, atol=1e-15)
    expected = found["path"].std(axis=2, ddof=1) / np.sqrt(3)
    assert np.allclose(found.standard_error("path"), expected, rtol=1e-14)
    assert np.allclose(found.standard_error("phase"), 0, atol=1e-15)
    assert np.isnan(ls.sweep(f.draw, {"a": [1]}).standard_error()).all()


def lopsided(a, *, rng):
    """Fails at a = 0 always, at a = 1 for some replicates."""
    value = rng.random()
    if a < 2 and value < (2 if a == 0 else 0.5):
        raise ValueError("low")
    return value if a < 3 else np.inf


def test_failed_replicates_are_left_out_of_means():
    found = ls.sweep(lopsided, {"a": [0, 1, 2, 3]}, seeds=8, seed=2)
    some = found["value"][1][~np.isnan(found["value"][1])]
    assert 2 <= some.size < 8
    assert np.isnan(found.mean()[0])
    assert np.isclose(found.mean()[1], some.mean(), rtol=1e-15)
    assert np.isclose(found.standard_error()[1], some.std(ddof=1) / np.sqrt(some.size), rtol=1e-14)
    assert found.mean()[3] == np.inf


def test_numbers_of_any_kind_are_kept():
    def kinds(a):
        return {"bool": a > 1, "int": a, "float": np.float32(0.1), "array": [1 + a, 2], "nan": np.nan, "none": []}

    found = ls.sweep(kinds, {"a": [1, 2]})
    assert [found[name].dtype.str[1:] for name in found.names] == ["i8", "b1", "f8", "i8", "f8", "f8"]
    assert found["float"][0, 0] == np.float32(0.1)
    assert np.isnan(found["nan"]).all()
    assert not found.failures
    assert found["none"].shape == (2, 1, 0)


def test_kinds_that_differ_between_points_widen_the_array():
    values = [True, 3, 0.5, 2j]
    for order in itertools.permutations(range(4)):
        found = ls.sweep(lambda a, v=[values[k] for k in order]: v[a], {"a": [0, 1, 2, 3]})["value"][:, 0]
        assert found.dtype == complex
        assert found.tolist() == [values[k] for k in order]


def test_a_sweep_without_axes_repeats():
    assert ls.sweep(lambda rng: rng.random(), {}, seeds=5)["value"].shape == (5,)


def test_text(tmp_path):
    found = ls.sweep(f.picky, {"a": list(range(8))}, folder=tmp_path)
    assert str(found).splitlines() == [
        "sweep of picky: 8 points, 2 failed",
        "  a       8 values, 0 … 7",
        "  seed    1 value, 0",
        "  value   a number at each point",
        "  failed: a = 3, seed 0: ValueError: three is not to my liking",
        "  failed: a = 5, seed 0: SystemExit: 1",
    ]
    cells = ls.sweep(lambda cell: len(cell), {"cell": ["RNN", "GRU", "LSTM"]})
    assert "3 values, RNN, GRU, LSTM" in repr(cells)


def test_xarray(monkeypatch):
    pytest.importorskip("xarray")
    found = noisy()
    data = found.to_xarray()
    assert data["path"].dims == ("gain", "n", "seed", "path_0")
    assert np.array_equal(data["path"].sel(gain=1.0, n=2, seed=1), found["path"][1, 1, 1])
    assert json.loads(data.attrs["seed"]) == 11
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ImportError, match=r"lstm-sym\[xarray\]"):
        found.to_xarray()


def test_saved_and_opened(tmp_path):
    found = ls.sweep(f.noisy, {"gain": [0.1, 1e300], "n": [1]}, seeds=2, constants={"steps": 2})
    path = found.save(tmp_path / "found")
    again = ls.SweepResult.open(tmp_path / "found")
    same(found, again)
    assert again.settings == found.settings
    assert repr(again) == repr(found)
    with np.load(path) as arrays:
        assert np.array_equal(arrays["path"], found["path"])
        assert arrays["gain"].tolist() == [0.1, 1e300]
    again.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()
    assert (tmp_path / "again.json").read_bytes() == path.with_suffix(".json").read_bytes()
    data = path.read_bytes()
    path.write_bytes(data[:-5])
    with pytest.raises(ValueError, match=r"found\.npz is damaged"):
        ls.SweepResult.open(path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        ls.SweepResult.open(tmp_path / "lost")
    with pytest.raises(FileNotFoundError, match="no sweep in this folder"):
        ls.SweepResult.open(tmp_path)


# --- points that fail --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_failures_are_recorded_and_the_rest_completes(workers):
    found = ls.sweep(f.picky, {"a": list(range(8))}, n_jobs=workers)
    assert [failure.point for failure in found.failures] == [{"a": 3, "seed": 0}, {"a": 5, "seed": 0}]
    assert [failure.reason for failure in found.failures] == [
        "ValueError: three is not to my liking",
        "SystemExit: 1",
    ]
    assert found.failures[0].traceback[-1].endswith('in picky: raise ValueError("three is not to my liking")')
    assert "/" not in found.failures[0].traceback[-1].split(" in ")[0]
    assert np.flatnonzero(np.isnan(found["value"])).tolist() == [3, 5]
    assert (found.done, found.total) == (8, 8)


def test_failed_points_are_tried_again_on_demand(tmp_path, calls):
    ls.sweep(f.picky, {"a": list(range(8))}, folder=tmp_path)
    before = contents(tmp_path)
    calls.clear()
    again = ls.sweep(f.picky, {"a": list(range(8))}, folder=tmp_path)
    assert calls == []
    assert len(again.failures) == 2
    ls.sweep(f.picky, {"a": list(range(8))}, folder=tmp_path, retry=True)
    assert calls == [3, 5]
    assert contents(tmp_path) == before


def test_a_point_that_is_mended_leaves_no_failure(tmp_path, monkeypatch):
    monkeypatch.setenv("MENDED", "")
    assert len(ls.sweep(mended, {"a": [1, 2]}, folder=tmp_path).failures) == 2
    monkeypatch.setenv("MENDED", "1")
    assert not ls.sweep(mended, {"a": [1, 2]}, folder=tmp_path, retry=True).failures
    assert not list((tmp_path / "points").rglob("*.json"))
    assert not ls.SweepResult.open(tmp_path).failures


def mended(a):
    if not os.environ["MENDED"]:
        raise ValueError("broken \udc80")  # no text that could be encoded as it is
    return a


def test_if_all_points_fail_it_says_so(caplog):
    found = ls.sweep(lambda a: 1 / 0, {"a": [1, 2]})
    assert np.isnan(found["value"]).all()
    assert "2 failed" in str(found)
    assert "all 2 points failed; the first: a = 1, seed 0: ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("what", ["none", "text", "object", "ragged", "masked", "empty", "number", "underscore"])
def test_what_is_no_number_is_a_failure(what):
    (failure,) = ls.sweep(f.odd, {"what": [what]}).failures
    assert failure.error == "TypeError"
    assert "the function" in failure.message


def test_shapes_must_agree():
    with pytest.raises(
        ValueError, match=r"at a = 2, seed 0 the function returned value \(2,\), at a = 1, seed 0 value"
    ):
        ls.sweep(f.shapes, {"a": [1, 2]})
    with pytest.raises(ValueError, match="returns 'a', which is an axis"):
        ls.sweep(lambda a: {"a": a}, {"a": [1, 2]})


def test_a_worker_that_dies_takes_only_its_point_with_it(tmp_path):
    found = ls.sweep(f.deadly, {"a": list(range(12))}, n_jobs=2, folder=tmp_path)
    died = [(failure.point["a"], failure.error) for failure in found.failures]
    assert died == [(a, "ValueError" if a == 9 else "WorkerDied") for a in (4, 7, 9)]
    good = [a for a in range(12) if a not in (4, 7, 9)]
    alone = ls.sweep(f.deadly, {"a": good})
    assert np.array_equal(found["value"][good], alone["value"])


def test_a_worker_that_dies_among_many_small_points():
    found = ls.sweep(f.deadly, {"a": list(range(1500, -1, -1))}, n_jobs=2)
    assert [failure.point["a"] for failure in found.failures] == [9, 7, 4]


def test_a_worker_that_is_killed_is_no_fault_of_its_point(tmp_path, monkeypatch):
    monkeypatch.setenv("SWEEP_LOG", str(tmp_path / "log"))

    def kill(done, total):
        if done == 2:
            pid = (tmp_path / "log").read_text().split()[-1]
            os.kill(int(pid), signal.SIGKILL)

    killed = ls.sweep(f.logged, {"a": list(range(7))}, n_jobs=2, progress=kill)
    assert not killed.failures
    same(killed, ls.sweep(f.logged, {"a": list(range(7))}))


def test_an_executor_whose_workers_die_is_an_error():
    from lstm_sym.sweeps.pools import _Spawn

    with (
        ProcessPoolExecutor(1, mp_context=_Spawn()) as pool,
        pytest.raises(RuntimeError, match="n_jobs= starts new ones"),
    ):
        ls.sweep(f.deadly, {"a": list(range(12))}, executor=pool)


def test_batches_that_are_lost_are_tried_point_by_point():
    same(ls.sweep(f.square, {"a": list(range(300))}), ls.sweep(f.square, {"a": list(range(300))}, executor=Moody()))


# --- dispatching -------------------------------------------------------------------------------------------------


def test_small_points_travel_together():
    executor = Immediate()
    executor._max_workers = 2
    ls.sweep(f.square, {"a": list(range(10_000))}, executor=executor)
    assert sum(executor.sizes) == 10_000
    assert len(executor.sizes) < 100
    assert max(executor.sizes) <= dispatching.LARGEST_BATCH


def test_batches_follow_the_time_that_points_take():
    batches = dispatching.Batches(iter(range(10**6)), 10**6, 1)
    sizes = []
    for _ in range(20):
        sizes.append(len(batches.next()))
        batches.learn(sizes[-1], sizes[-1] * dispatching.BATCH_SECONDS / 100)
    assert sizes[:8] == [1, 2, 4, 8, 16, 32, 64, 100]
    assert sizes[-1] == 100
    batches.learn(1, 5.0)
    assert len(batches.next()) == 1


def test_a_batch_of_points_that_turn_out_long_is_shared_out(monkeypatch):
    monkeypatch.setattr("lstm_sym.sweeps.evaluating.ENOUGH", 0.0)
    items = [Item(k, (k,), None) for k in range(5)]
    outcomes, _ = evaluate(Call(f.square, ("a",), {}, 0), items)
    assert [outcome["value"] for outcome in outcomes] == [0]
    executor = Immediate()
    executor._max_workers = 2
    found = ls.sweep(f.square, {"a": list(range(300))}, executor=executor)
    assert found["value"].ravel().tolist() == [a * a for a in range(300)]
    assert len(executor.sizes) == 300
    assert max(executor.sizes) > 1


def test_a_bounded_number_of_batches_waits():
    executor = Scrambled(lambda count: 0)
    ls.sweep(f.square, {"a": list(range(9000))}, executor=executor)
    assert executor.most <= dispatching.AHEAD
    executor._max_workers = 2
    executor.most = 0
    ls.sweep(f.square, {"a": list(range(9000))}, executor=executor)
    assert executor.most <= 2 * dispatching.AHEAD_EACH


def test_progress_is_told():
    told = []
    ls.sweep(f.square, {"a": list(range(50))}, progress=lambda done, total: told.append((done, total)))
    assert told == [(k, 50) for k in range(1, 51)]


def test_a_bar_appears_in_a_terminal_only(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("lstm_sym.progress.DELAY", 0.0)
    monkeypatch.setattr("sys.stderr", Terminal())
    ls.sweep(f.square, {"a": [1, 2]}, progress=False)
    assert sys.stderr.getvalue() == ""
    ls.sweep(f.square, {"a": [1, 2]})
    assert "sweep" in sys.stderr.getvalue()


# --- processes ---------------------------------------------------------------------------------------------------


def test_workers_have_one_thread_and_nothing_outlives_the_call(monkeypatch):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    before = dict(os.environ)

    def now():
        return [(pool["filepath"], pool["num_threads"]) for pool in threadpoolctl.threadpool_info()]

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        f.threads(0)  # what it needs is loaded
        level = now()
        spawned = ls.sweep(f.threads, {"a": [1, 2, 3, 4]}, n_jobs=2)
        here = ls.sweep(f.threads, {"a": [1, 2]})
        with ThreadPoolExecutor(4) as threads:
            shared = ls.sweep(f.threads, {"a": list(range(40))}, executor=threads)
        assert now() == level
    assert spawned["variables"].all()
    assert (spawned["blas"] == 1).all()
    assert (here["blas"] == 1).all()
    assert (shared["blas"] == 1).all()
    assert dict(os.environ) == before


def test_sweeps_in_threads_leave_this_process_as_it_was():
    main, before = sys.modules["__main__"], dict(os.environ)
    with ThreadPoolExecutor(3) as threads:
        sweeps = [threads.submit(ls.sweep, f.square, {"a": [1, 2, 3]}, n_jobs=2) for _ in range(3)]
        assert [sweep.result()["value"].sum() for sweep in sweeps] == [14, 14, 14]
    assert sys.modules["__main__"] is main
    assert dict(os.environ) == before


def test_ctrl_c_is_not_left_to_an_analysis():
    """lyapunov_spectrum returns what it has when interrupted: a sweep must not take that for a result."""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not ls.sweep(f.handler, {"a": [1]})["value"].any()
    assert not ls.sweep(f.handler, {"a": [1, 2]}, n_jobs=2)["value"].any()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_sweep_within_a_sweep():
    assert ls.sweep(f.nested, {"a": [3, 4]}, n_jobs=2)["value"][:, 0, :, 0].tolist() == [[1, 4, 9], [1, 4, 16]]


# --- folders -----------------------------------------------------------------------------------------------------


def test_a_folder_is_the_same_whoever_computed_it(tmp_path):
    results = [noisy(folder=tmp_path / str(workers), n_jobs=workers) for workers in (1, 2)]
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    same(*results)
    same(results[0], ls.SweepResult.open(tmp_path / "1"))
    assert set(os.listdir(tmp_path / "1")) == {".lock", "grid.json", "points", "results.json", "results.npz"}
    assert len(list((tmp_path / "1" / "points").glob("??/*.npz"))) == 18


def test_finished_points_are_not_computed_again(tmp_path, calls):
    first = ls.sweep(f.counted, {"a": [1, 2]}, folder=tmp_path)
    larger = ls.sweep(f.counted, {"a": [1, 2, 3]}, seeds=2, folder=tmp_path)
    assert calls == [1, 2, 1, 2, 3, 3]
    assert np.array_equal(first["value"], larger["value"][:2, :1])
    same(larger, ls.sweep(f.counted, {"a": [1, 2, 3]}, seeds=2))
    smaller = ls.sweep(f.counted, {"a": [3]}, folder=tmp_path)
    assert smaller["value"].shape == (1, 1)
    real = ls.sweep(f.counted, {"a": [3.0]}, folder=tmp_path)
    assert isinstance(calls[-1], float)
    assert np.array_equal(real["value"], smaller["value"])
    same(real, ls.SweepResult.open(tmp_path))
    smaller = ls.sweep(f.counted, {"a": [3]}, folder=tmp_path)
    same(smaller, ls.SweepResult.open(tmp_path))


@pytest.mark.parametrize(
    "options",
    [{"seed": 1}, {"paired": True}, {"constants": {"k": 2}}, {"version": "2"}],
    ids=lambda o: next(iter(o)),
)
def test_what_matters_makes_other_points(tmp_path, calls, caplog, options):
    first = ls.sweep(f.counted, {"a": [1, 2]}, folder=tmp_path)
    calls.clear()
    ls.sweep(f.counted, {"a": [1, 2]}, folder=tmp_path, **options)
    assert calls == [1, 2]
    assert ("code changed" in caplog.text) == ("version" in options)
    calls.clear()
    same(first, ls.sweep(f.counted, {"a": [1, 2]}, folder=tmp_path))
    assert calls == []


@pytest.mark.parametrize("what", ["_installed", "package_digest", "function_digest"])
def test_other_code_makes_other_points(tmp_path, calls, caplog, monkeypatch, what):
    ls.sweep(f.counted, {"a": [1]}, folder=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(f"lstm_sym.sweeps.codes.{what}", lambda *_: "another")
        ls.sweep(f.counted, {"a": [1]}, folder=tmp_path)
    assert calls == [1, 1]
    assert "code changed" in caplog.text
    ls.sweep(f.counted, {"a": [1]}, folder=tmp_path)
    assert calls == [1, 1]


def test_partial_sweeps_can_be_looked_at(tmp_path):
    def stop(done, total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ls.sweep(f.picky, {"a": list(range(8))}, folder=tmp_path, progress=stop)
    part = ls.SweepResult.open(tmp_path)
    assert (part.done, part.total, len(part.failures)) == (4, 8, 1)
    assert np.array_equal(part["value"][:, 0], [0, 1, 2, *[np.nan] * 5], equal_nan=True)
    assert "4 of 8 points done, 1 failed" in str(part)
    part.save(tmp_path / "part")
    same(part, ls.SweepResult.open(tmp_path / "part"))


def test_damaged_points_are_computed_again(tmp_path, calls):
    ls.sweep(f.picky, {"a": list(range(20))}, folder=tmp_path)
    whole = contents(tmp_path)
    files = [tmp_path / name for name in whole if name.startswith("points")]
    random.Random(0).shuffle(files)
    files[0].write_bytes(b"")
    files[1].write_bytes(files[1].read_bytes()[:-7])
    data = bytearray(files[2].read_bytes())
    data[len(data) // 2] ^= 1
    files[2].write_bytes(data)
    files[3].write_bytes(files[4].read_bytes() + b"x")
    files[5].unlink()
    (record,) = [file for file in files[6:] if file.suffix == ".json"][:1]
    record.write_bytes(record.read_bytes()[:-20])
    (tmp_path / "grid.json").write_bytes(b"{")
    (tmp_path / ".lstm_sym.left").write_bytes(b"half")
    (files[7].parent / ".lstm_sym.left").write_bytes(b"half")
    calls.clear()
    ls.sweep(f.picky, {"a": list(range(20))}, folder=tmp_path)
    assert len(calls) == 6
    assert contents(tmp_path) == whole
    (tmp_path / "results.npz").write_bytes(b"PK")
    assert ls.SweepResult.open(tmp_path).done == 20


def test_every_damaged_bit_is_seen():
    data = archives.packed({"value": np.array(1.5), "more": np.arange(3)})
    assert archives.unpacked(data)["more"].tolist() == [0, 1, 2]
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(archives.DamagedError):
            archives.unpacked(bytes(damaged))
    for length in range(len(data)):
        with pytest.raises(archives.DamagedError):
            archives.unpacked(data[:length])


def test_results_of_another_grid_are_not_taken_for_these(tmp_path):
    ls.sweep(f.square, {"a": [1, 2]}, folder=tmp_path)
    old = {name: (tmp_path / name).read_bytes() for name in ("results.npz", "results.json")}
    ls.sweep(f.square, {"a": [1, 2, 3]}, folder=tmp_path)
    for name, data in old.items():
        (tmp_path / name).write_bytes(data)
    assert ls.SweepResult.open(tmp_path)["value"].ravel().tolist() == [1, 4, 9]


def test_one_sweep_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("lstm_sym.sweeps.locks.PATIENCE", 0.1)

    def again(a, where):
        return ls.sweep(f.square, {"a": [1]}, folder=where)["value"]

    (failure,) = ls.sweep(again, {"a": [1]}, constants={"where": str(tmp_path)}, folder=tmp_path).failures
    assert failure.error == "BlockingIOError"
    assert failure.message.startswith(f"{tmp_path}: another sweep is at work in this folder.")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        ls.sweep(f.square, {"a": [1]}, folder=tmp_path / "file")


# --- refusals ----------------------------------------------------------------------------------------------------


class Stateful:
    def __call__(self, a):
        return a


def closure():
    hidden = 1
    return lambda a: hidden * a


REFUSED = [
    ({"grid": [1]}, TypeError, "grid = .*expected a mapping"),
    ({"grid": {"a": []}}, ValueError, r"grid\['a'\] is empty"),
    ({"grid": {"a": [1, 2, 1.0]}}, ValueError, "has 1.0 twice, at 0 and 2"),
    ({"grid": {"a": [1.0, np.nan]}}, ValueError, r"grid\['a'\]\[1\] is nan: expected finite"),
    ({"grid": {"a": [1, "x"]}}, TypeError, "mixes numbers and strings"),
    ({"grid": {"a": [1, True]}}, TypeError, "mixes booleans and numbers"),
    ({"grid": {"a": "abc"}}, TypeError, "one-dimensional sequence"),
    ({"grid": {"a": 3}}, TypeError, "one-dimensional sequence"),
    ({"grid": {"a": np.eye(2)}}, TypeError, "one-dimensional sequence"),
    ({"grid": {"a": (k for k in "ab")}}, TypeError, "one-dimensional sequence"),
    ({"grid": {"a": [1j]}}, TypeError, "expected a number"),
    ({"grid": {"a": [2**63]}}, ValueError, "within 64 bits"),
    ({"grid": {"a": range(10**9)}}, ValueError, "at most 10,000,000"),
    ({"grid": {"b c": [1]}}, ValueError, "is not the name of an argument"),
    ({"grid": {3: [1]}}, ValueError, "is not the name of an argument"),
    ({"grid": {"seed": [1]}}, ValueError, "give seeds="),
    ({"grid": {"rng": [1]}}, ValueError, "'rng' is"),
    ({"grid": {"aa": [1]}}, ValueError, "unknown argument of sweep_functions.square: 'aa'. Did you mean 'a'"),
    ({"grid": {}}, TypeError, "also needs 'a'"),
    ({"constants": {"a": 1}}, ValueError, "in the grid and among the constants"),
    ({"constants": {"k": {}}}, TypeError, r"constants\['k'\]"),
    ({"constants": {"k": np.eye(2)}}, TypeError, r"k\.tolist\(\)"),
    ({"constants": {"k": [1.0, np.inf]}}, ValueError, "expected finite"),
    ({"constants": [1]}, TypeError, "expected a mapping"),
    ({"seeds": 0}, ValueError, "seeds = 0"),
    ({"seeds": 1.5}, TypeError, "seeds = 1.5: expected an integer"),
    ({"seeds": 2}, ValueError, "takes no rng: expected seeds = 1"),
    ({"seed": -1}, ValueError, "seed = -1"),
    ({"seed": None}, TypeError, "seed = None"),
    ({"n_jobs": 0}, ValueError, "n_jobs = 0"),
    ({"n_jobs": -1}, ValueError, "this machine has"),
    ({"n_jobs": 2.0}, TypeError, "n_jobs = 2.0"),
    ({"n_jobs": 10**6}, ValueError, "from 1 to 1024"),
    ({"n_jobs": 2, "executor": Immediate()}, ValueError, "both given"),
    ({"executor": "threads"}, TypeError, "expected a concurrent.futures.Executor"),
    ({"function": lambda a: a, "n_jobs": 2}, TypeError, "cannot be sent to other processes"),
    ({"function": 3}, TypeError, "expected a function"),
    ({"function": np.sin}, ValueError, "unknown argument of numpy.sin"),
    ({"function": closure(), "folder": "x"}, ValueError, "variables of the function around it .hidden."),
    ({"function": Stateful(), "folder": "x"}, TypeError, "a plain function"),
    (
        {"function": functools.partial(f.noisy, n=1), "folder": "x", "grid": {"gain": [1]}},
        TypeError,
        "a plain function",
    ),
    ({"paired": 1}, TypeError, "paired = 1"),
    ({"retry": "yes"}, TypeError, "retry = 'yes'"),
    ({"version": 2}, TypeError, "version = 2"),
    ({"progress": "bar"}, TypeError, "progress = 'bar'"),
]


@pytest.mark.parametrize(
    ("options", "error", "message"), REFUSED, ids=[f"{k}-{r[2][:20]}" for k, r in enumerate(REFUSED)]
)
def test_mistakes_are_refused_before_any_work(options, error, message, tmp_path, monkeypatch, calls):
    monkeypatch.chdir(tmp_path)
    options = {"function": f.square, "grid": {"a": [1]}, **options}
    with pytest.raises(error, match=message):
        ls.sweep(**options)
    assert not list(tmp_path.iterdir())


def test_numpy_values_become_pythons_own():
    seen = []

    def see(a, b, c, d):
        seen.append((a, b, c, d))
        return 0

    ls.sweep(see, {"a": np.arange(1), "b": np.array([0.5]), "c": np.array([True]), "d": np.array(["x"])})
    assert [type(value) for value in seen[0]] == [int, float, bool, str]
    pandas = pytest.importorskip("pandas")
    assert ls.sweep(f.square, {"a": pandas.Series([1, 2])})["value"].ravel().tolist() == [1, 4]


def test_constants_are_each_points_own():
    def spoil(a, numbers):
        numbers[1].append(a)
        return len(numbers[1])

    found = ls.sweep(spoil, {"a": [1, 2, 3]}, constants={"numbers": [0, [1, 2]]})
    assert found["value"].ravel().tolist() == [3, 3, 3]


STALE = """
import dataclasses, functools, sys, types
import numpy as np
import lstm_sym as ls

@dataclasses.dataclass
class Settings:
    n: float
    def twice(self):
        return 2 * self.n

def array(a): return a * W.sum()
def entry(a): return a * cfg["n"]
def listed(a): return a * many[0]
def named(a): return a * space.n
def instance(a): return a * settings.twice()
def part(a): return power(a)
def cell(a): return a * len(network.states)
def kernel(a): return a * len(kern.cell.states)
def scalar(a): return a * x

functions = array, entry, listed, named, instance, part, cell, kernel, scalar
for n, net in ((1.0, ls.LSTM), (7.0, ls.RNN)):
    W, cfg, many, space, settings = n * np.eye(1), {"n": n}, [n], types.SimpleNamespace(n=n), Settings(n)
    power, network, kern, x = functools.partial(pow, n), net, ls.Kernel(net), np.float64(n)
    for f in functions:
        kept = ls.sweep(f, {"a": [1.0, 2.0]}, folder=f"{sys.argv[1]}/{f.__name__}", progress=False)
        assert (kept["value"] == ls.sweep(f, {"a": [1.0, 2.0]}, progress=False)["value"]).all(), (f.__name__, n)
"""


def test_what_a_scripts_function_reads_is_part_of_its_code(tmp_path):
    command = [sys.executable, "-W", "error", "-", str(tmp_path)]
    subprocess.run(command, input=STALE, text=True, check=True, capture_output=True)


COUNTED = """
import sys, threading
import lstm_sym as ls

calls, count, lock = [], 0, threading.Lock()

def counted(a):
    global count
    count += 1
    calls.append(a)
    return a

def guarded(a):
    with lock:
        return a

for _ in range(2):
    ls.sweep(counted, {"a": [1, 2]}, folder=sys.argv[1] + "/counted")
assert calls == [1, 2] and count == 2, calls
try:
    ls.sweep(guarded, {"a": [1, 2]}, folder=sys.argv[1] + "/guarded")
except ValueError as error:
    print(error)
ls.sweep(guarded, {"a": [1, 2]}, folder=sys.argv[1] + "/guarded", version="1")
"""


def test_what_a_function_collects_is_no_part_and_what_cannot_be_recorded_is_refused(tmp_path):
    command = [sys.executable, "-W", "error", "-", str(tmp_path)]
    said = subprocess.run(command, input=COUNTED, text=True, check=True, capture_output=True).stdout
    assert "the function uses lock, an object of type lock, whose content cannot be recorded" in said


@pytest.mark.parametrize("name", ["results.npz", "results.json", "grid.json", "thesis.txt"])
def test_a_folder_with_other_things_in_it_is_refused(tmp_path, name):
    (tmp_path / name).write_text("my own")
    with pytest.raises(FileExistsError, match=f"{name} in it is not of a sweep"):
        ls.sweep(f.square, {"a": [1]}, folder=tmp_path)
    assert contents(tmp_path) == {name: b"my own"}


@pytest.mark.parametrize("folder", ["", b"x", 5, "nul\0"])
def test_a_folder_is_a_path(folder):
    with pytest.raises(TypeError, match="expected the path of a folder"):
        ls.sweep(f.square, {"a": [1]}, folder=folder)


@pytest.mark.parametrize("axis", [np.array(3), np.ma.array([1, 2], mask=[0, 1]), [[1]], [ls.LSTM]])
def test_what_is_no_axis_is_named(axis):
    with pytest.raises((TypeError, ValueError), match=r"grid\['a'\]") as refused:
        ls.sweep(f.square, {"a": axis})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("safe", [True, False])
def test_copies_and_fresh_workers_compute_the_same(monkeypatch, safe):
    asked = []
    monkeypatch.setattr("lstm_sym.sweeps.pools.copies_are_safe", lambda: safe)
    monkeypatch.setattr("lstm_sym.sweeps.pools._context", watched(asked, "lstm_sym.sweeps.pools", "_context"))
    grid = {"gain": [0.5, 1.0], "n": [1, 2, 3]}
    there, here = (ls.sweep(f.noisy, grid, seeds=2, n_jobs=jobs) for jobs in (2, 1))
    assert all(there[name].tobytes() == here[name].tobytes() for name in here.names)
    assert asked == [not safe]


def watched(asked, module, name):
    function = getattr(importlib.import_module(module), name)

    def call(fresh):
        asked.append(fresh)
        return function(fresh)

    return call


def test_copies_are_not_safe_beside_other_threads(monkeypatch):
    from lstm_sym.sweeps import pools

    monkeypatch.setattr(threading, "active_count", lambda: 1)
    assert pools.copies_are_safe() in (True, False)
    monkeypatch.setitem(sys.modules, "torch", object())
    assert not pools.copies_are_safe()
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert not pools.copies_are_safe()
