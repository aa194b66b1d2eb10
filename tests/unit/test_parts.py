"""`make test` runs all its parts, even after a red one, and names the red ones at its end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
MAKEFILE = """\
first:
\t@echo one; exit 3
second:
\t@echo two
third:
\t@echo three; exit 1
endless:
\t@echo begun; exec sleep 600
"""


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    (tmp_path / "Makefile").write_text(MAKEFILE, encoding="utf-8")
    return tmp_path


def start(folder: Path, *names: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(SCRIPTS / "parts"), *names],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_red_part_lets_the_others_run_and_every_red_one_is_named_at_the_end(parts: Path) -> None:
    run = start(parts, "first", "second", "third")
    printed, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    assert [word for word in ("one", "two", "three") if f"\n{word}\n" in printed] == ["one", "two", "three"]
    verdicts = printed.partition("===== parts\n")[2].splitlines()
    assert [line.split(" (")[0] for line in verdicts[:3]] == ["RED first", "ok  second", "RED third"]
    assert verdicts[-1] == "red: first third. One of them again: make first"


def test_green_parts_end_with_0(parts: Path) -> None:
    run = start(parts, "second")
    printed, _ = run.communicate(timeout=60)
    assert run.returncode == 0
    assert "red" not in printed


def test_a_part_that_does_not_exist_is_red(parts: Path) -> None:
    run = start(parts, "secnod", "second")
    printed, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "\ntwo\n" in printed
    assert printed.splitlines()[-1].startswith("red: secnod.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_part_that_runs_and_starts_no_other(parts: Path, number: signal.Signals) -> None:
    run = start(parts, "endless", "second")
    assert run.stdout
    while run.stdout.readline() != "begun\n":
        assert run.poll() is None
    os.kill(run.pid, number)
    # The pipe ends when every process of the part has ended.
    printed, _ = run.communicate(timeout=60)
    assert run.returncode == 128 + number
    assert "two" not in printed


def test_make_test_names_parts_that_the_makefile_has() -> None:
    made = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "--assume-old=.venv/.installed", "test"],
        cwd=SCRIPTS.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    [line] = [line for line in made.stdout.splitlines() if line.startswith("scripts/parts ")]
    known = (SCRIPTS.parent / "Makefile").read_text(encoding="utf-8")
    assert [part for part in line.split()[1:] if f"\n{part}: " not in known] == []
