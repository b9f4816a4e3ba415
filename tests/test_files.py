"""Files appear whole or not at all, and a disk that is full is said in one line."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from lstm_sym.files import replacing, write_text

FULL = """
import resource, signal, sys
from lstm_sym.files import write_text
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_text(sys.argv[1], "x" * 5000)
except OSError as error:
    print(error)
"""


def test_a_file_that_cannot_grow_leaves_what_was_there(tmp_path):
    target = write_text(tmp_path / "kept.txt", "as it was")
    command = [sys.executable, "-c", FULL, str(target)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == f"cannot write {target}: File too large; what was there is kept.\n"
    assert target.read_text() == "as it was"
    assert os.listdir(tmp_path) == ["kept.txt"]


def test_a_failure_inside_is_passed_on_and_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "new.txt") as temporary:  # noqa: PT012
        temporary.write_text("half")
        1 / 0  # noqa: B018
    with pytest.raises(FileNotFoundError, match="elsewhere"), replacing(tmp_path / "new.txt"):
        open(tmp_path / "elsewhere")  # noqa: SIM115
    assert os.listdir(tmp_path) == []


def test_files_have_the_usual_permissions_and_links_are_followed(tmp_path):
    before = os.umask(0o027)
    try:
        target = write_text(tmp_path / "file.txt", "old")
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    (tmp_path / "link.txt").symlink_to(target)
    write_text(tmp_path / "link.txt", "new")
    assert target.read_text() == "new"
    assert (tmp_path / "link.txt").is_symlink()


def test_only_ordinary_files_are_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(OSError, match="not an ordinary file"):
            write_text(tmp_path / name, "text")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_text(tmp_path / "none" / "file.txt", "text")
