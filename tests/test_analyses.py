"""Each analysis with --quick: files, landmarks, the record, and refusals."""

from __future__ import annotations

import importlib
import io
import os
import subprocess
import sys

import numpy as np
import pytest
from lstm_sym.analyses import gradient_reach, trained_on_sunspots
from numpy.testing import assert_allclose

import lstm_sym as ls
from lstm_sym.__main__ import main as command_line
from lstm_sym.commands.drawing import analyses
from lstm_sym.progress import step_progress

ALL = analyses()


def main_of(name):
    return importlib.import_module(f"lstm_sym.analyses.{name}").main


@pytest.mark.parametrize("name", ALL)
def test_every_script_writes_its_files_and_nothing_else(quick, name):
    run = quick(name)
    written = {path.name for path in run.folder.iterdir()} - {"sweeps"}
    assert written == {f"{name}{kind}" for kind in (".png", ".dark.png", ".pdf", ".npz", ".json")}
    assert {"python", "lstm_sym", "numpy", "sympy"} <= set(run.record["versions"])
    assert run.arrays


@pytest.mark.parametrize("name", ALL)
def test_every_record_says_what_is_claimed_and_by_which_equations(quick, name):
    record = quick(name).record
    assert all(record[part] for part in ("title", "claim", "methods", "figure", "equations", "parameters"))
    assert record["quick"] is True
    assert all(row["theory"] is not None and row["computed"] is not None for row in record["landmarks"])


def test_direct_path_slopes_are_log_sigmoid(quick):
    landmarks = quick("gradient_reach").landmarks("direct path")
    assert [row["computed"] for row in landmarks] == pytest.approx(
        [-0.3010299956640, -0.1360478223004, -0.0211012186834, -0.0029164387931], abs=1e-9
    )
    assert max(abs(row["difference"]) for row in landmarks) <= 1e-9


def test_reach_orders_the_networks_as_claimed(quick):
    arrays = quick("gradient_reach").arrays
    assert len(arrays) == 16
    last = {label: np.median(norms[:, -1]) for label, norms in arrays.items()}
    assert last["rnn, gain 0.9"] < last["lstm cell-to-cell, b_f = 1"] < last["lstm cell-to-cell, b_f = 3"]
    assert last["lstm direct, b_f = 0"] + 20 < last["lstm cell-to-cell, b_f = 0"]
    assert all(norms.shape == (2, 200) for norms in arrays.values())


def test_waterfall_sums_to_the_closed_form(quick):
    run = quick("singular_value_waterfall")
    arrays = run.arrays
    assert len(run.landmarks()) == 6
    assert max(abs(row["difference"]) for row in run.landmarks()) <= 1e-9
    assert arrays["LSTM, full state"].shape == (3, 32)
    assert arrays["RNN, h to h"].min() < -200


def test_sunspots_train_and_are_reported_beside_the_baselines(quick):
    run = quick("trained_on_sunspots")
    errors, arrays = run.record["parameters"]["test errors"], run.arrays
    assert set(errors) == {"persistence", "AR(2)", "AR(9)", "RNN", "LSTM"}
    assert errors["persistence"] == pytest.approx([33.4], abs=0.05)
    assert errors["AR(2)"] == pytest.approx([20.9], abs=0.05)
    assert max(errors["RNN"] + errors["LSTM"]) < 30 < errors["persistence"][0]
    assert arrays["years"][0] == 1700
    assert arrays["years"][-1] == 2008
    assert arrays["LSTM before"].shape == (2, 200)


def test_the_series_is_split_by_year_and_scaled_by_the_training_years():
    series = trained_on_sunspots.read_series()
    assert len(series.years) == 309
    assert series.training.sum() + series.validation.sum() + series.test.sum() == 308 - trained_on_sunspots.WASH_OUT
    assert series.test.sum() == 2008 - 1955
    scaled = series.scaled[series.years <= 1920]
    assert_allclose([scaled.mean(), scaled.std()], [0.0, 1.0], atol=1e-12)
    assert_allclose(series.unscaled(series.scaled), series.numbers, atol=1e-10)


@pytest.mark.parametrize("arguments", [["--seed", "-3"], ["--jobs", "0"], ["--jobs", "many"], ["--what"]])
@pytest.mark.parametrize("name", ALL)
def test_bad_options_are_one_usage_error(name, arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main_of(name)(arguments)
    assert stopped.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ALL)
def test_help_says_what_the_figure_claims(name, capsys):
    with pytest.raises(SystemExit):
        main_of(name)(["--help"])
    assert "Claim." in capsys.readouterr().out


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert gradient_reach.main(["--quick", "--out", str(tmp_path / "file" / "below")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "below: the folder cannot be made: Not a directory. Give another --out." in said
    assert gradient_reach.main(["--quick", "--out", str(tmp_path / "file")]) == 2
    assert "expected a folder, this is a file" in capsys.readouterr().err


def test_as_a_script_without_display_in_a_folder_that_is_not_its_own(tmp_path):
    script = os.path.abspath(gradient_reach.__file__)
    command = [
        sys.executable,
        "-W",
        "error",
        script,
        "--quick",
        "--lags",
        "20",
        "--hidden",
        "4",
        "--out",
        "made/here",
    ]
    environment = {**os.environ, "MPLBACKEND": "TkAgg"}
    environment.pop("DISPLAY", None)
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert (tmp_path / "made" / "here" / "gradient_reach.png").exists()


def test_figures_by_name_from_the_command_line(tmp_path, capsys):
    arguments = ["figures", "singular_value_waterfall", "--quick", "--out", str(tmp_path)]
    assert command_line(arguments) == 0
    assert "theory" in capsys.readouterr().out
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert {"singular_value_waterfall.pdf", "index.html"} <= {path.name for path in before}
    assert command_line(arguments) == 2
    assert "is there already. Give --force to replace it" in capsys.readouterr().err
    assert command_line([*arguments, "--force"]) == 0
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_several_figures_at_a_time_and_one_that_fails(tmp_path, capfd):
    (tmp_path / "gradient_reach.png").write_text("mine")
    names = ["gradient_reach", "singular_value_waterfall"]
    assert command_line(["figures", *names, "--quick", "--jobs", "2", "--out", str(tmp_path)]) == 2
    said = capfd.readouterr()
    assert "gradient_reach.png is there already" in said.err
    assert said.err.endswith("not made: gradient_reach\n")
    assert (tmp_path / "singular_value_waterfall.json").exists()
    assert (tmp_path / "gradient_reach.png").read_text() == "mine"


@pytest.mark.parametrize("name", ["../gradient_reach", "gradient_reach.py", "__init__", "os"])
def test_names_of_figures_are_checked(name, tmp_path, capsys):
    assert command_line(["figures", name, "--out", str(tmp_path / "new")]) == 2
    assert "unknown analysis" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_progress_over_steps_is_shown_in_a_terminal_only(monkeypatch):
    run = np.random.default_rng(0).standard_normal((30, 3, 3))
    with step_progress("exponents") as told:
        assert told is None
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", stream)
    with step_progress("exponents") as told:
        assert told is not None
        ls.lyapunov_spectrum(run, progress=told)
        told(29, 30)
        told(30, 30)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with step_progress("exponents") as told:
        assert told is None


def test_a_dark_figure_of_an_earlier_run_does_not_stay_behind(tmp_path):
    small = ["--quick", "--lags", "20", "--hidden", "4", "--out", str(tmp_path)]
    assert gradient_reach.main([*small, "--dark"]) == 0
    assert (tmp_path / "gradient_reach.dark.png").exists()
    assert gradient_reach.main([*small, "--force"]) == 0
    assert not (tmp_path / "gradient_reach.dark.png").exists()
