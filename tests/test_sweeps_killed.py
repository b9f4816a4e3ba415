"""Sweeps that are killed, interrupted, out of disk or in each other's way go on, and end with the same bytes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sweep_functions import contents

import lstm_sym as ls
from lstm_sym.sweeps.settings import settings_of

POINTS = 40
#: What a process does that is going to be killed: no guard, as in a user's script.
SWEEP = """
import sys
import lstm_sym as ls
import sweep_functions
ls.sweep(sweep_functions.logged, {{"a": list(range({points}))}}, seed=5, folder=sys.argv[1], n_jobs={workers})
"""
#: The same with a function that is the script's own.
OWN = SWEEP.replace(
    "ls.sweep(sweep_functions.logged",
    """
def own(a, *, rng):
    return sweep_functions.logged(a, rng=rng)

ls.sweep(own""",
)


class Sweeping:
    """A sweep of ``logged`` in a process of its own."""

    def __init__(self, folder: Path, workers: int, pause: float, text: str = SWEEP) -> None:
        self.folder, self.log = folder, folder.with_name("log")
        script = folder.with_name("script.py")
        script.write_text(text.format(points=POINTS, workers=workers))
        self.log.touch()
        self.process = subprocess.Popen(
            [sys.executable, script, folder],
            env=environment(SWEEP_LOG=str(self.log), SWEEP_PAUSE=str(pause)),
            start_new_session=True,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finished(self) -> set[str]:
        return {path.stem for path in (self.folder / "points").glob("*/*") if path.suffix in (".npz", ".json")}

    def called(self) -> list[int]:
        return [int(line.split()[0]) for line in self.log.read_text().splitlines()]

    def workers(self) -> set[int]:
        return {int(line.split()[1]) for line in self.log.read_text().splitlines()} - {self.process.pid}

    def wait_for(self, more: int) -> None:
        """Until so many points more are finished, or all."""
        there = len(self.finished())
        while len(self.finished()) < there + more and self.process.poll() is None:
            time.sleep(0.002)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self) -> str:
        _, said = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, said
        return said


def environment(**more: str) -> dict[str, str]:
    places = [str(Path(__file__).parent), str(Path(ls.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places)), **more}


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def gone(pids: set[int], seconds: float = 20.0) -> bool:
    """Whether all of them end within some seconds."""
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(alive, pids))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a sweep that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole") / "sweep"
    Sweeping(folder, 1, 0.0).end()
    return contents(folder)


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_any_moment_a_sweep_goes_on_and_ends_with_the_same_bytes(workers, whole, tmp_path):
    chance = random.Random(workers)
    settings = settings_of(json.loads(whole["grid.json"]))
    name = settings.names()
    points = {name(k): settings.grid.values(k)[0] for k in range(POINTS)}
    kills, called = 0, 0
    while True:
        run = Sweeping(tmp_path / "sweep", workers, 0.02)
        before = {points[stem] for stem in run.finished()}
        if kills < 4:
            run.wait_for(chance.choice([1, 2, 5]))
            time.sleep(chance.random() * 0.06)
            run.kill()
            assert gone(run.workers())
            kills += 1
        else:
            run.end()
        calls = run.called()[called:]
        called += len(calls)
        assert len(calls) == len(set(calls))
        assert not before & set(calls)
        if run.process.returncode == 0:
            break
    assert kills == 4
    assert 0 < len(before) < POINTS
    assert contents(tmp_path / "sweep") == whole
    (tmp_path / "log").write_text("")
    Sweeping(tmp_path / "sweep", workers, 0.0).end()
    assert (tmp_path / "log").read_text() == ""
    assert contents(tmp_path / "sweep") == whole


@pytest.mark.parametrize("text", [SWEEP, OWN], ids=["spawned", "forked"])
def test_no_worker_outlives_a_sweep_that_is_killed(text, tmp_path):
    run = Sweeping(tmp_path / "sweep", 2, 600.0, text)
    while len(run.called()) < 2:
        time.sleep(0.01)
    workers = run.workers()
    assert len(workers) == 2
    assert all(map(alive, workers))
    run.kill()
    again = Sweeping(tmp_path / "sweep", 2, 0.0, text)  # at once: nobody holds the lock
    assert gone(workers)
    again.end()
    assert len(again.finished()) == POINTS


def test_ctrl_c_ends_a_sweep_and_keeps_what_is_finished(whole, tmp_path):
    for workers in (1, 2):
        run = Sweeping(tmp_path / "sweep", workers, 0.02)
        run.wait_for(4)
        os.killpg(run.process.pid, signal.SIGINT)
        said = run.process.communicate(timeout=30)[1]
        assert said.rstrip().endswith("KeyboardInterrupt")
        assert run.process.returncode == -signal.SIGINT
        assert not any(map(alive, run.workers()))
        part = ls.SweepResult.open(tmp_path / "sweep")
        assert part.done == len(run.finished()) >= 4 * workers
    Sweeping(tmp_path / "sweep", 1, 0.0).end()
    assert contents(tmp_path / "sweep") == whole


def test_ctrl_c_does_not_wait_for_long_points(tmp_path):
    run = Sweeping(tmp_path / "sweep", 2, 600.0)
    while len(run.called()) < 2:
        time.sleep(0.01)
    os.killpg(run.process.pid, signal.SIGINT)
    run.process.communicate(timeout=30)
    assert not any(map(alive, run.workers()))


def test_two_runs_at_once_are_one_too_many(whole, tmp_path):
    first = Sweeping(tmp_path / "sweep", 2, 0.2)
    first.wait_for(1)
    second = subprocess.run(
        first.process.args, env=environment(SWEEP_LOG=os.devnull), capture_output=True, text=True
    )
    assert second.returncode == 1
    last = second.stderr.splitlines()[-1]
    assert last.startswith(f"BlockingIOError: {tmp_path / 'sweep'}: another sweep is at work in this folder.")
    first.kill()
    Sweeping(tmp_path / "sweep", 2, 0.0).end()  # at once
    assert contents(tmp_path / "sweep") == whole


# --- disks -------------------------------------------------------------------------------------------------------


FILLING = """
import sys
import lstm_sym as ls
import sweep_functions
ls.sweep(sweep_functions.filling, {"a": list(range(8))}, folder=sys.argv[1])
"""


def test_a_disk_that_is_full_is_one_clear_line_and_what_is_finished_is_kept(tmp_path):
    def run(folder, full=""):
        command = [sys.executable, "-c", FILLING, str(tmp_path / folder)]
        return subprocess.run(command, env=environment(DISK_FULL=full), capture_output=True, text=True)

    full = run("sweep", "yes")
    assert full.returncode == 1
    last = full.stderr.splitlines()[-1]
    assert last.startswith(f"OSError: cannot write {tmp_path / 'sweep' / 'points'}/")
    assert last.endswith(f"File too large. What is finished in {tmp_path / 'sweep'} is kept: run again to go on.")
    part = ls.SweepResult.open(tmp_path / "sweep")
    assert part.done == 6
    assert part["value"][:6, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert not [path for path in (tmp_path / "sweep").rglob("*") if path.name.startswith(".lstm_sym.")]
    assert run("sweep").returncode == 0
    assert run("whole").returncode == 0
    assert contents(tmp_path / "sweep") == contents(tmp_path / "whole")


FORBIDDEN = """
import os, sys
import lstm_sym as ls
import sweep_functions
ls.sweep(sweep_functions.square, {"a": [1]}, folder=sys.argv[1] + "/mine")
if os.getuid() == 0:
    os.seteuid(65534)  # root may write anywhere
ls.sweep(sweep_functions.square, {"a": [1]}, folder=sys.argv[1] + "/sweep")
"""


def test_a_folder_that_cannot_be_written(tmp_path):
    place = tmp_path
    while place != place.parent and place.stat().st_uid == os.getuid():
        place.chmod(0o755)
        place = place.parent
    (tmp_path / "sweep").mkdir(mode=0o555)
    command = [sys.executable, "-c", FORBIDDEN, str(tmp_path)]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert run.stderr.splitlines()[-1] == f"OSError: cannot write {tmp_path / 'sweep'}: Permission denied."
    assert not list((tmp_path / "sweep").iterdir())
    assert ls.SweepResult.open(tmp_path / "mine").done == 1


# --- functions of scripts and sessions ---------------------------------------------------------------------------

SCRIPT = """
import functools, sys
import lstm_sym as ls

FACTOR = 3

SEEN = []

def helper(a):  # a comment
    SEEN.append(a)
    return FACTOR * a

def passing(inner):
    @functools.wraps(inner)
    def outer(*args, **kwargs):
        return inner(*args, **kwargs)
    return outer

@passing
def own(a, *, rng):
    with open("log", "a") as file:
        print(a, file=file)
    return helper(a) + rng.random() / 2

folder = sys.argv[1] if sys.argv[1:] else None
print(ls.sweep(own, {"a": [1, 2, 3, 4]}, seed=2, n_jobs=2, folder=folder)["value"].sum())
"""


def scripted(tmp_path, text, *arguments, stdin=False):
    (tmp_path / "script.py").write_text(text)
    command = [sys.executable, "-" if stdin else "script.py", *arguments]
    given = text if stdin else None
    run = subprocess.run(
        command, input=given, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == "" or "code changed" in run.stderr
    lines = (tmp_path / "log").read_text().splitlines() if (tmp_path / "log").exists() else []
    (tmp_path / "log").unlink(missing_ok=True)
    return run.stdout, len(lines)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_functions_of_a_script_without_guard_and_of_standard_input(tmp_path):
    plain = scripted(tmp_path, SCRIPT)
    assert plain[1] == 4
    assert 30 < float(plain[0]) < 34
    assert scripted(tmp_path, SCRIPT, stdin=True) == plain
    assert scripted(tmp_path, SCRIPT.replace("n_jobs=2", "n_jobs=1")) == plain


def test_a_script_is_the_same_as_long_as_what_it_computes_is(tmp_path):
    script = SCRIPT.replace("n_jobs=2", "n_jobs=1")
    assert scripted(tmp_path, script, "sweep")[1] == 4
    assert scripted(tmp_path, script.replace("# a comment", "\n    # longer"), "sweep")[1] == 0
    assert scripted(tmp_path, script + "\nprint()", "sweep")[1] == 0
    assert scripted(tmp_path, script, "sweep", stdin=True)[1] == 0
    assert scripted(tmp_path, script.replace("FACTOR = 3", "FACTOR = 4"), "sweep")[1] == 4
    assert scripted(tmp_path, script.replace("FACTOR * a", "FACTOR + a"), "sweep")[1] == 4
    assert scripted(tmp_path, script.replace("random() / 2", "random() / 4"), "sweep")[1] == 4
    twice = script + script[script.rindex("print(") :]  # SEEN is not what it was at first
    assert scripted(tmp_path, twice, "sweep")[1] == 0
    assert scripted(tmp_path, script, "sweep")[1] == 0


def test_an_imported_module_is_another_when_its_text_is(tmp_path):
    script = "import lstm_sym as ls, own\nls.sweep(own.own, {'a': [1, 2]}, folder='sweep', n_jobs=2)"
    module = "def own(a):\n    print(a, file=open('log', 'a'))\n    return a\n"
    for text, calls in ((module, 2), (module, 0), (module + "# more", 2)):
        (tmp_path / "own.py").write_text(text)
        assert scripted(tmp_path, script)[1] == calls
