"""Directories and files become what is wanted of them, and what is as it should be is not touched."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed
from ansible_collections.exotel.voicebot.plugins.module_utils.wanted_files import NotWanted, Wanted, differences, look
from ansible_collections.exotel.voicebot.plugins.modules import files as module


def settle(*wanted: Wanted) -> list[str]:
    changed = []
    for difference in differences(wanted):
        difference.settle()
        changed.append(difference.wanted.path.name)
    return changed


def test_what_is_made_is_as_wanted_and_stays_untouched(tmp_path: Path) -> None:
    wanted = (
        Wanted(tmp_path / "a/b", "directory", 0o750),
        Wanted(tmp_path / "a/b/file", "file", 0o640, "text\n"),
        Wanted(tmp_path / "gone", "absent"),
    )
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone/file").touch()
    assert settle(*wanted) == ["b", "file", "gone"]
    assert [look(one.path) for one in wanted] == [one.state for one in wanted]
    inode = (tmp_path / "a/b/file").stat().st_ino
    assert settle(*wanted) == []
    assert (tmp_path / "a/b/file").stat().st_ino == inode


def a_text(path: Path) -> None:
    path.write_text("other\n")


def a_mode(path: Path) -> None:
    path.write_text("text\n")
    path.chmod(0o666)


def a_link(path: Path) -> None:
    path.with_name("elsewhere").write_text("text\n")
    path.symlink_to(path.with_name("elsewhere"))


def no_text(path: Path) -> None:
    path.write_bytes(b"\xff\n")


@pytest.mark.parametrize("other", [a_text, a_mode, a_link, no_text])
def test_a_file_that_differs_becomes_the_wanted_one(tmp_path: Path, other: Callable[[Path], None]) -> None:
    other(tmp_path / "file")
    wanted = Wanted(tmp_path / "file", "file", 0o644, "text\n")
    assert settle(wanted) == ["file"]
    assert look(wanted.path) == wanted.state


def test_a_link_to_a_directory_is_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to("there")
    assert settle(Wanted(tmp_path / "link", "directory", 0o755)) == []


def test_what_is_not_ours_to_replace_is_told(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(NotWanted, match="there is a directory, and a file is to be there"):
        settle(Wanted(tmp_path / "there", "file", 0o644, "text\n"))
    assert (tmp_path / "there").is_dir()


def test_a_file_that_its_program_refuses_leaves_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old\n")
    wanted = Wanted(file, "file", 0o644, "new\n", validate=("/bin/grep", "-q", "good"))
    with pytest.raises(CommandFailed, match="ended with 1"):
        settle(wanted)
    assert (file.read_text(), list(tmp_path.iterdir())) == ("old\n", [file])
    assert settle(Wanted(file, "file", 0o644, "good\n", validate=("/bin/grep", "-q", "good"))) == ["file"]


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **arguments: object) -> tuple[int, dict[str, Any]]:
    asked = {"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_remote_tmp": "/tmp"}}
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps(asked).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(SystemExit) as ended:
        module.main()
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return int(str(ended.value.code)), printed


def test_check_mode_tells_what_would_change_and_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, file = tmp_path / "a", tmp_path / "a/file"
    code, told = run(
        monkeypatch,
        capsys,
        directories={str(directory): "0755"},
        files=[{"path": str(file), "content": "text\n", "validate": ["/bin/false"]}],
        _ansible_check_mode=True,
    )
    assert (code, told["changed"], told["paths"]) == (0, True, [str(directory), str(file)])
    assert told["diff"][1]["after"] == "text\n"
    assert list(tmp_path.iterdir()) == []


def test_a_secret_is_written_for_its_owner_alone_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret, file = tmp_path / "secret", tmp_path / "file"
    for text in ("the-first-secret\n", "another-secret\nthe-first-secret\n"):
        arguments = {"secrets": {str(secret): text}, "files": [{"path": str(file), "content": f"shown {text}"}]}
        code, told = run(monkeypatch, capsys, **arguments)
        assert (code, told["paths"]) == (0, [str(secret), str(file)])
        assert "-secret" not in json.dumps(told)
        assert "shown" in told["diff"][1]["after"]
        assert (secret.read_text(), secret.stat().st_mode & 0o777) == (text, 0o600)


def test_a_failure_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = run(monkeypatch, capsys, files=[{"path": str(tmp_path / "no/file"), "content": ""}])
    assert code == 1
    assert f"No such file or directory: '{tmp_path}/no/.file.new'" in told["msg"]
