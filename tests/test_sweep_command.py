"""``lstm-sym sweep``: what it computes, keeps and draws, and hostile words on its command line."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import lstm_sym as ls
from lstm_sym.__main__ import main
from lstm_sym.commands import sweeping, values
from lstm_sym.quantities import gradient_reach, leading_exponent

SMALL = ["--set", "hidden=4", "--set", "steps=12", "--set", "transient=3"]


def swept(out, *arguments, quantity="exponent"):
    fixed = [] if any(word.startswith(("hidden=", "steps=", "transient=")) for word in arguments) else SMALL
    return main(["sweep", quantity, "--out", str(out), *(fixed if quantity == "exponent" else []), *arguments])


def refused(capsys, *arguments, **options):
    """The one line that says why."""
    assert swept(*arguments, **options) == 2
    said = capsys.readouterr()
    assert said.err.startswith("lstm-sym sweep: ")
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    return said.err


def names(folder):
    return {path.name for path in folder.iterdir()}


# --- what it does ------------------------------------------------------------------------------------------------


def test_two_numeric_axes_are_a_table_arrays_and_a_map(tmp_path, capsys):
    out = tmp_path / "phase"
    assert swept(out, "--axis", "gain=0.5:2:4", "--axis", "b_f=-1,2", "--seeds", "2", "--seed", "5") == 0
    said = capsys.readouterr().out
    constants = {"cell": "LSTM", "hidden": 4, "steps": 12, "transient": 3}
    expected = ls.sweep(
        leading_exponent,
        {"gain": [0.5, 1.0, 1.5, 2.0], "b_f": [-1.0, 2.0]},
        seeds=2,
        seed=5,
        constants=constants,
    )
    with np.load(out / "results.npz", allow_pickle=False) as found:
        assert_array_equal(found["value"], expected["value"])
        assert_array_equal(found["gain"], [0.5, 1.0, 1.5, 2.0])
    assert f"{expected.mean()[3, 1]:.4f}" in said
    assert "gain ↓ b_f →" in said
    assert {"map.png", "map.pdf", "results.json", "grid.json"} <= names(out)


def test_one_axis_is_a_curve_with_errors(tmp_path, capsys):
    assert swept(tmp_path, "--cell", "gru", "--axis", "gain=0.1:10:3:log", "--seeds", "3", "--dark") == 0
    said = capsys.readouterr().out
    assert "±" in said
    assert {"curve.png", "curve.pdf"} <= names(tmp_path)
    assert json.loads((tmp_path / "grid.json").read_text())["constants"]["cell"] == "GRU"


def test_reach_at_lags_and_cells_on_an_axis(tmp_path, capsys):
    arguments = ["--axis", "b_f=0,3", "--set", "of=c", "--set", "wrt=c", "--set", "path=direct", "--set", "W_hf=0"]
    arguments += ["--set", "lags=1,10", "--set", "hidden=4", "--set", "transient=0"]
    assert swept(tmp_path / "reach", *arguments, quantity="reach") == 0
    found = ls.SweepResult.open(tmp_path / "reach")
    assert_array_equal(found.mean().round(6), np.round(-np.logaddexp(0, [[0], [-3.0]]) * [1, 10], 6))
    assert found["value"].shape == (2, 1, 2)
    assert gradient_reach(lags=[1, 10]).shape == (2,)
    assert swept(tmp_path / "cells", "--axis", "cell=RNN,GRU", "--axis", "gain=0.5:2:3", "--seeds", "2") == 0
    assert "curve.png" in names(tmp_path / "cells")
    assert "RNN" in capsys.readouterr().out


def test_three_axes_have_arrays_but_no_figure(tmp_path, capsys):
    assert swept(tmp_path, "--axis", "gain=1,2", "--axis", "b_f=0,1", "--axis", "b_i=0,1") == 0
    assert "8 values" in capsys.readouterr().out
    assert not any(name.endswith(".png") for name in names(tmp_path))


@pytest.mark.parametrize(("quantity", "axis"), [("exponents", "k=1,2"), ("reach", "lags=1,2")])
def test_what_one_run_gives_is_no_axis(quantity, axis, tmp_path, capsys):
    assert "one run gives them all" in refused(capsys, tmp_path / "new", "--axis", axis, quantity=quantity)


def test_integers_on_an_axis_stay_integers(tmp_path):
    assert main(["sweep", "zero-state", "--axis", "hidden=4:8:3", "--out", str(tmp_path)]) == 0
    assert ls.SweepResult.open(tmp_path).axes["hidden"].tolist() == [4, 6, 8]
    assert ls.SweepResult.open(tmp_path).axes["hidden"].dtype.kind == "i"


def test_it_goes_on_and_is_extended_with_the_same_bytes(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert swept(parts, "--axis", "gain=1,2", "--seeds", "2") == 0
    kept = {path: path.stat().st_mtime_ns for path in (parts / "points").rglob("*.npz")}
    assert swept(parts, "--axis", "gain=1,2,4", "--seeds", "2") == 0
    assert swept(whole, "--axis", "gain=1,2,4", "--seeds", "2") == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    for name in ("results.npz", "results.json", "curve.png", "curve.pdf"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes(), name


def test_two_processes_compute_the_same(tmp_path):
    assert swept(tmp_path / "one", "--axis", "gain=1,2", "--seeds", "2") == 0
    assert swept(tmp_path / "two", "--axis", "gain=1,2", "--seeds", "2", "--jobs", "2") == 0
    assert (tmp_path / "one" / "results.npz").read_bytes() == (tmp_path / "two" / "results.npz").read_bytes()


def test_another_sweep_is_not_mixed_in_unless_it_is_forced(tmp_path, capsys):
    assert swept(tmp_path, "--axis", "gain=1,2") == 0
    before = (tmp_path / "results.npz").read_bytes()
    assert "with other seed" in refused(capsys, tmp_path, "--axis", "gain=1,2", "--seed", "3")
    assert "with other axes" in refused(capsys, tmp_path, "--axis", "b_f=1,2")
    assert "with other constants" in refused(capsys, tmp_path, "--axis", "gain=1,2", "--cell", "GRU")
    assert (tmp_path / "results.npz").read_bytes() == before
    assert swept(tmp_path, "--axis", "gain=1,2", "--seed", "3", "--force") == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert "has other files in it" in refused(capsys, tmp_path / "mine", "--axis", "gain=1,2")
    assert "this is a file" in refused(capsys, tmp_path / "mine" / "letter.txt", "--axis", "gain=1,2")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_points_that_fail_are_counted_and_if_all_do_it_says_so(tmp_path, capsys):
    fixed = ["--set", "steps=2000", "--set", "transient=0", "--out"]
    arguments = ["sweep", "exponents", "--axis", "hidden=3,4", "--set", "k=7", *fixed, str(tmp_path)]
    assert main(arguments) == 0  # 7 exponents of a state of 6, and of 8
    said = capsys.readouterr().out
    assert "2 points, 1 failed" in said
    assert (
        "failed: hidden = 3, seed 0: ValueError: k = 7: expected an integer from 1 to the state size S = 6" in said
    )
    assert main(["sweep", "exponents", "--axis", "hidden=2,3", "--set", "k=7", *fixed, str(tmp_path / "all")]) == 2
    assert "every point failed; the first: hidden = 2" in capsys.readouterr().err


def test_a_cluster_that_is_not_there_is_one_line(tmp_path, capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(sweeping, "ANSWER", 0.5)
    for address in ("nonsense", "tcp://127.0.0.1:1", "ftp://x"):
        assert "no cluster there" in refused(capsys, tmp_path, "--axis", "gain=1,2", "--dask", address)
    assert "expected one of them" in refused(capsys, tmp_path, "--axis", "gain=1,2", "--dask", "x", "--jobs", "2")


def test_a_cluster_computes_the_same(tmp_path):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster:
        address = cluster.scheduler_address
        assert swept(tmp_path / "there", "--axis", "gain=1,2", "--seeds", "2", "--dask", address) == 0
    assert swept(tmp_path / "here", "--axis", "gain=1,2", "--seeds", "2") == 0
    assert (tmp_path / "here" / "results.npz").read_bytes() == (tmp_path / "there" / "results.npz").read_bytes()


# --- what it refuses ----------------------------------------------------------------------------------------------

HOSTILE = [
    (["--axis", "gain"], "expected NAME=VALUE"),
    (["--axis", "=1,2"], "expected NAME=VALUE"),
    (["--axis", "gain="], "expected NAME=VALUE"),
    (["--axis", "gian=1,2"], "Did you mean 'gain'"),
    (["--axis", "b_z=1,2"], "Known: cell, hidden"),
    (["--axis", "__class__=1,2"], "Known: cell, hidden"),
    (["--axis", "../../etc/passwd=1,2"], "unknown axis"),
    (["--axis", "rng=1,2"], "unknown axis"),
    (["--axis", "quantity=1"], "unknown axis"),
    (["--axis", "gain=nan"], "is not a number"),
    (["--axis", "gain=inf,1"], "is not a number"),
    (["--axis", "gain=1e999"], "is not a number"),
    (["--axis", "gain=1_000"], "is not a number"),
    (["--axis", "gain=٣"], "is not a number"),
    (["--axis", "gain=２"], "is not a number"),
    (["--axis", "gain=0x10"], "is not a number"),
    (["--axis", "gain=1,,2"], "is not a number"),
    (["--axis", "gain= 1"], "is not a number"),
    (["--axis", "gain=__import__('os').system('touch pwned')"], "is not a number"),
    (["--axis", "gain=1;2"], "is not a number"),
    (["--axis", "gain=" + "9" * 5000], "is not a number"),
    (["--axis", "gain=1\n2"], "is not a number"),
    (["--axis", "gain=\udcff"], "is not a number"),
    (["--axis", "gain=1,1"], "twice"),
    (["--axis", "gain=0:1"], "is no range"),
    (["--axis", "gain=0:1:3:4:5"], "is no range"),
    (["--axis", "gain=0:1:3:sqrt"], "is no range"),
    (["--axis", "gain=0:1:0"], "COUNT = 0"),
    (["--axis", "gain=0:1:-3"], "COUNT = -3"),
    (["--axis", "gain=0:1:1000000000"], "COUNT = 1000000000"),
    (["--axis", "gain=0:1:2.5"], "is not an integer"),
    (["--axis", "gain=1:1:3"], "twice"),
    (["--axis", "gain=0:1:3:log"], "positive ends"),
    (["--axis", "gain=1,2", "--axis", "gain=3,4"], "given twice"),
    (["--axis", "gain=0:1:10000", "--axis", "b_f=0:1:10000"], "100000000 points"),
    (["--axis", "hidden=4:7:3"], "integers only"),
    (["--axis", "steps=0,1"], "steps = 0"),
    (["--axis", "inputs=1,1000000000"], "inputs = 1000000000"),
    (["--axis", "transient=-1,0"], "transient = -1"),
    (["--axis", "initial=-1,0"], "initial = -1"),
    (["--axis", "k=1,2"], "unknown axis"),
    (["--axis", "cell=LSTM,../x"], "unknown cell"),
    (["--axis", "gain=1,2", "--cell", "LSTN"], "Did you mean 'LSTM'"),
    (["--axis", "gain=1,2", "--set", "gain=1"], "by --axis and by --set"),
    (["--axis", "gain=1,2", "--set", "b_f=yes"], "is not a number"),
    (["--axis", "gain=1,2", "--set", "inputs=1.5"], "is not an integer"),
    (["--axis", "gain=1,2", "--set", "cell=GRU"], "give --cell"),
    (["--axis", "gain=1,2", "--set", "accuracy=-1"], "accuracy"),
    (["--axis", "gain=1,2", "--seeds", "0"], "seeds = 0"),
    (["--axis", "gain=1,2", "--seeds", "100000000000"], "points: expected at most"),
    (["--axis", "gain=1,2", "--jobs", "0"], "--jobs = 0"),
    ([], "no --axis"),
]


@pytest.mark.parametrize(("arguments", "says"), HOSTILE, ids=lambda v: ascii(v)[:40])
def test_hostile_words_are_one_line_and_leave_nothing(arguments, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert says in refused(capsys, tmp_path / "new", *arguments)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("quantity", ["exponentt", "../exponent", "os.system", "__init__", "leading_exponent"])
def test_quantities_are_named_from_a_list(quantity, tmp_path, capsys):
    assert main(["sweep", quantity, "--axis", "gain=1,2", "--out", str(tmp_path / "new")]) == 2
    assert "Known: exponent, exponents, reach, zero-state" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"), [("of", "q"), ("wrt", "rm -rf"), ("path", "../x"), ("lags", "0"), ("lags", "")]
)
def test_names_within_a_run_are_tried_before_any_work(name, value, tmp_path, capsys):
    arguments = ["--axis", "gain=1,2", "--set", f"{name}={value}"]
    assert main(["sweep", "reach", *arguments, "--out", str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("seed", ["-1", "1_0", "٣", "1e3", "x"])
def test_counts_are_plain_integers(seed, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["sweep", "exponent", "--axis", "gain=1,2", "--seed", seed])
    assert stopped.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("text", ["1", "-0.5", ".5", "5.", "1e-3", "+2E5"])
def test_numbers_are_read_as_python_reads_them(text):
    assert values.number("x", text) == float(text)


def test_ranges_include_both_ends_and_may_fall():
    assert values.values("x", "3:0:4") == [3.0, 2.0, 1.0, 0.0]
    assert values.values("x", "2:2:1") == [2.0]
    assert values.values("x", "1000:1:4:log") == [1000.0, 100.0, 10.0, 1.0]
    assert values.values("x", "16:64:4", integers=True) == [16, 32, 48, 64]


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit):
        main(["sweep", "--help"])
    assert "--axis gain=0.5:8:11" in capsys.readouterr().out


def test_a_cell_goes_by_one_name(tmp_path, capsys):
    assert "has 'LSTM' twice" in refused(capsys, tmp_path, "--axis", "cell=LSTM,lstm", "--axis", "gain=1,2")
