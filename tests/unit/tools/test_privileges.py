"""The missing privilege is named: root, or the capability that this root lacks."""

import os
from pathlib import Path

import pytest
from exotelctl import privileges


def status(folder: Path, effective: str) -> Path:
    file = folder / "status"
    file.write_text(f"Name:\tx\nCapInh:\t0000000000000000\nCapEff:\t{effective}\n")
    return file


@pytest.mark.parametrize(
    ("effective", "lacks"),
    [
        ("000001ffffffffff", ()),
        ("0000000000000000", ("CAP_KILL", "CAP_SYS_PTRACE")),
        ("00000000a80425fb", ("CAP_SYS_PTRACE",)),  # Docker's default
    ],
)
def test_what_the_kernel_says_is_read(tmp_path: Path, effective: str, lacks: tuple[str, ...]) -> None:
    assert privileges.lacking("CAP_KILL", "CAP_SYS_PTRACE", status=status(tmp_path, effective)) == lacks


def test_a_kernel_that_does_not_say_is_no_reason(tmp_path: Path) -> None:
    assert privileges.lacking("CAP_KILL", status=tmp_path / "nowhere") == ()


def test_each_user_gets_a_cure_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert privileges.cure("CAP_KILL") == "needs root: put sudo in front of the command"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(privileges, "lacking", lambda *names: names)
    assert privileges.cure("CAP_KILL") == (
        "this root lacks CAP_KILL (in a container?): give it that, or type the command on the machine itself"
    )
    monkeypatch.setattr(privileges, "lacking", lambda *names: ())
    assert privileges.cure("CAP_KILL") == ""
