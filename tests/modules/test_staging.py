"""A release on the host is complete, or it is not there."""

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils import staging as the_module
from ansible_collections.exotel.voicebot.plugins.module_utils.staging import StagingFailed, held, stage, staged
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed

WHEELS = {"pip-1-py3-none-any.whl": b"no wheel at all", "thing-1-py3-none-any.whl": b"thing"}


def a_bundle(path: Path, release: str, wheels: dict[str, bytes], said: dict[str, bytes] | None = None) -> Path:
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in (said or wheels).items()}
    members = {"RELEASE.json": json.dumps({"release": release, "python": "3.11", "sha256": hashes}).encode()}
    members |= {f"wheels/{name}": content for name, content in wheels.items()}
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("release", "wheels", "said", "complaint"),
    [
        ("1-bb", WHEELS, None, "the bundle is of release 1-bb, not 1-aa"),
        ("1-aa", WHEELS, WHEELS | {"thing-1-py3-none-any.whl": b"other"}, "thing-1-py3-none-any.whl is damaged"),
        (
            "1-aa",
            WHEELS,
            WHEELS | {"lost-1-py3-none-any.whl": b"x"},
            "no wheels/lost-1-py3-none-any.whl, and no release on this host has it",
        ),
    ],
)
def test_a_bundle_that_is_not_what_it_says_is_refused(
    tmp_path: Path, release: str, wheels: dict[str, bytes], said: dict[str, bytes] | None, complaint: str
) -> None:
    bundle = a_bundle(tmp_path / "b.tar", release, wheels, said)
    with pytest.raises(StagingFailed, match=complaint):
        stage(bundle, "1-aa", tmp_path / "releases", sys.executable)
    assert not (tmp_path / "releases/1-aa").exists()


def sums(wheels: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in wheels.items()}


def test_a_file_that_the_manifest_does_not_name_is_refused(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b.tar", "1-aa", WHEELS | {"evil-1-py3-none-any.whl": b"evil"}, WHEELS)
    with pytest.raises(StagingFailed, match=r"holds evil-1-py3-none-any\.whl"):
        stage(bundle, "1-aa", tmp_path / "releases", sys.executable)
    assert not (tmp_path / "releases/1-aa").exists()


@pytest.mark.parametrize(
    "changed",
    [
        WHEELS | {"thing-1-py3-none-any.whl": b"evil"},
        WHEELS | {"evil-1-py3-none-any.whl": b"evil"},
        {"pip-1-py3-none-any.whl": b""},
    ],
)
def test_a_bundle_that_agrees_with_itself_and_not_with_the_controller_is_refused(
    tmp_path: Path, changed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = installs(monkeypatch)
    bundle = a_bundle(tmp_path / "b.tar", "1-aa", changed)
    with pytest.raises(StagingFailed, match=r"controller's lock differ over (thing|evil|pip)-1-py3-none-any\.whl"):
        stage(bundle, "1-aa", tmp_path / "releases", sys.executable, sums(WHEELS))
    assert names == []
    stage(a_bundle(tmp_path / "c.tar", "1-aa", WHEELS), "1-aa", tmp_path / "releases", sys.executable, sums(WHEELS))
    assert len(names) == 2


def installs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the wheels that get installed; each becomes a distribution of one empty file."""
    names: list[str] = []

    def install(wheels: Path, target: Path, python: str) -> None:
        for wheel in sorted(wheels.glob("*.whl")):
            names.append(wheel.name)
            name, version = wheel.name.split("-")[:2]
            distribution = target / f"lib/python3.11/site-packages/{name}-{version}.dist-info"
            distribution.mkdir(parents=True)
            (distribution / "RECORD").write_text(f"{distribution.name}/RECORD,,\n")

    monkeypatch.setattr(the_module, "_install", install)
    return names


def test_a_wheel_that_another_release_has_need_not_be_in_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names, releases = installs(monkeypatch), tmp_path / "releases"
    stage(a_bundle(tmp_path / "a.tar", "1-aa", WHEELS), "1-aa", releases, sys.executable)
    assert held(releases, "3.12") == frozenset()
    has = held(releases, "3.11")
    assert has == {hashlib.sha256(content).hexdigest() for content in WHEELS.values()}
    own = {"own-1-py3-none-any.whl": b"own"}
    names.clear()
    stage(a_bundle(tmp_path / "b.tar", "1-bb", own, WHEELS | own), "1-bb", releases, sys.executable)
    assert names == ["own-1-py3-none-any.whl"]
    found = {path.name for path in (releases / "1-bb").glob("lib/*/site-packages/*")}
    assert found == {"pip-1.dist-info", "thing-1.dist-info", "own-1.dist-info"}
    assert held(releases, "3.11") == has | {hashlib.sha256(b"own").hexdigest()}


def test_a_release_of_nothing_but_what_another_has_needs_no_installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release with the same wheels as another needs no installer: only a lock or a file of the controller has changed."""
    commands: list[str] = []
    monkeypatch.setattr(the_module, "run", lambda command, **_: commands.append(command[1]))
    (tmp_path / "pip-1-py3-none-any.whl").write_text("")
    the_module._install(tmp_path, tmp_path / "1-bb", sys.executable)
    assert commands == ["-m"]


def test_a_failed_installation_leaves_nothing(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b.tar", "1-aa", WHEELS)
    with pytest.raises(CommandFailed):
        stage(bundle, "1-aa", tmp_path / "releases", sys.executable)
    assert not (tmp_path / "releases/1-aa").exists()


def test_an_interrupted_staging_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "1-aa/bin").mkdir(parents=True)
    (tmp_path / "1-bb").mkdir()
    (tmp_path / "1-bb/RELEASE.json").write_text("{}")
    assert staged(tmp_path) == {"1-bb"}
