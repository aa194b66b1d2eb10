"""A bundle holds the wheels of the host, and is built once."""

import errno
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.exotel.voicebot.plugins.plugin_utils import bundle as the_module
from ansible_collections.exotel.voicebot.plugins.plugin_utils.bundle import BundleError, bundle, requirements_for

DOWNLOADED = hashlib.sha256(b"download").hexdigest()
LOCK = """\
# made by scripts/lock
msgspec==0.22.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:cc
backport==1.0 ; python_version < '3.13' \\
    --hash=sha256:dd
arm==1.0 ; platform_machine == 'aarch64' \\
    --hash=sha256:ee
"""


@pytest.mark.parametrize(
    ("python", "machine", "expected"),
    [
        ("3.11", "x86_64", ["msgspec", "backport"]),
        ("3.13", "x86_64", ["msgspec"]),
        ("3.13", "aarch64", ["msgspec", "arm"]),
    ],
)
def test_markers_are_those_of_the_host(python: str, machine: str, expected: list[str]) -> None:
    lines = requirements_for(LOCK, python, machine).splitlines()
    assert [line.partition("==")[0] for line in lines] == expected


def test_every_hash_is_kept() -> None:
    assert requirements_for(LOCK, "3.13", "x86_64") == "msgspec==0.22.0 --hash=sha256:aa --hash=sha256:bb\n"


def locked(*names: str) -> str:
    """Return a lock of the one wheel that the pip of these tests downloads, under each of ``names``."""
    return "".join(f"{name} \\\n    --hash=sha256:{DOWNLOADED}\n" for name in names)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/runtime.lock").write_text(locked("msgspec==0.22.0"))
    (tmp_path / "pyproject.toml").write_text('version = "1.2.3"\n')
    return tmp_path


@pytest.fixture
def pip_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace pip, which then writes one wheel where it is told to, and return the verbs of its calls."""
    calls: list[str] = []

    def pip(failure: str, *arguments: Sequence[str]) -> None:
        words = [word for part in arguments for word in part]
        calls.append(words[0])
        for word in words:
            option, _, target = word.partition("=")
            if option in ("--dest", "--wheel-dir"):
                Path(target).mkdir(exist_ok=True)
                (Path(target) / f"{words[0]}-1.whl").write_text(words[0])

    monkeypatch.setattr(the_module, "_pip", pip)
    return calls


def test_a_bundle_holds_its_wheels_and_says_which(tree: Path, pip_calls: list[str]) -> None:
    archive = bundle(tree, "1.2.3-aa", "3.13", "x86_64")
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        file = tar.extractfile("RELEASE.json")
        assert file
        manifest = json.load(file)
    assert names == ["RELEASE.json", "wheels/download-1.whl", "wheels/wheel-1.whl"]
    assert (manifest["release"], manifest["version"], manifest["python"], manifest["platform"]) == (
        "1.2.3-aa",
        "1.2.3",
        "3.13",
        "linux-x86_64",
    )
    assert set(manifest["sha256"]) == {"download-1.whl", "wheel-1.whl"}


def test_locked_wheels_are_fetched_once_a_lock(tree: Path, pip_calls: list[str]) -> None:
    bundle(tree, "1.2.3-aa", "3.13", "x86_64")
    bundle(tree, "1.2.3-aa", "3.13", "x86_64")
    assert pip_calls.count("download") == 1
    bundle(tree, "1.2.3-bb", "3.13", "x86_64")
    assert pip_calls.count("download") == 1
    bundle(tree, "1.2.3-cc", "3.11", "x86_64")
    assert pip_calls.count("download") == 2


def names(archive: Path) -> list[str]:
    with tarfile.open(archive) as tar:
        return tar.getnames()


def test_what_the_host_has_is_named_in_the_bundle_and_not_in_it(tree: Path, pip_calls: list[str]) -> None:
    has = DOWNLOADED
    archive = bundle(tree, "1.2.3-aa", "3.13", "x86_64", held=[has])
    assert names(archive) == ["RELEASE.json", "wheels/wheel-1.whl"]
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("RELEASE.json"))  # type: ignore[arg-type]
    assert manifest["sha256"]["download-1.whl"] == has
    assert names(bundle(tree, "1.2.3-aa", "3.13", "x86_64")) == ["RELEASE.json", "wheels/download-1.whl", "wheels/wheel-1.whl"]


def test_several_extras_make_one_set_of_wheels(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "pyproject.toml").write_text('[project]\nversion = "1"\n[project.optional-dependencies]\nai = []\nazure = []\n')
    other = hashlib.sha256(b"azure").hexdigest()
    (tree / "requirements/ai.lock").write_text(locked("msgspec==0.22.0"))
    (tree / "requirements/azure.lock").write_text(f"{locked('msgspec==0.22.0')}azure==2 \\\n    --hash=sha256:{other}\n")
    asked: list[str] = []

    def pip(failure: str, *arguments: Sequence[str]) -> None:
        options = dict(word.partition("=")[::2] for part in arguments for word in part if word.startswith("--"))
        if "--requirement" in options:
            asked.extend(Path(options["--requirement"]).read_text().splitlines())
        target = Path(options.get("--dest") or options["--wheel-dir"])
        target.mkdir(exist_ok=True)
        (target / "msgspec-1.whl").write_text("download")
        if "--dest" in options:
            (target / "azure-1.whl").write_text("azure")

    monkeypatch.setattr(the_module, "_pip", pip)
    bundle(tree, "1-aa", "3.13", "x86_64", ["ai", "azure"])
    assert [line.partition("==")[0] for line in asked] == ["msgspec", "azure"]


def test_a_wheel_of_two_sets_is_stored_once(tree: Path, pip_calls: list[str]) -> None:
    bundle(tree, "1.2.3-aa", "3.13", "x86_64")
    bundle(tree, "1.2.3-bb", "3.11", "x86_64")
    wheels = list((tree / ".cache/wheels").glob("*/download-1.whl"))
    assert [wheel.stat().st_nlink for wheel in wheels] == [2, 2]


def the_wheels(tree: Path) -> Path:
    """Return the cached set of locked wheels."""
    (cache,) = (tree / ".cache/wheels").glob("[!.]*")
    return cache


def write_as_another_file(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["download-1.whl", "evil-1.whl", "sitecustomize.py"])
@pytest.mark.parametrize("release", ["1.2.3-aa", "1.2.3-bb"])
def test_a_changed_or_an_extra_file_in_the_cache_is_refused(tree: Path, pip_calls: list[str], release: str, name: str) -> None:
    bundle(tree, "1.2.3-aa", "3.13", "x86_64")
    write_as_another_file(the_wheels(tree) / name, b"evil")
    with pytest.raises(BundleError, match=rf"(?s){name}.*requirements/runtime.lock.*rm -r .*/wheels/"):
        bundle(tree, release, "3.13", "x86_64")


def test_a_second_copy_of_a_locked_wheel_is_an_extra_one(tree: Path, pip_calls: list[str]) -> None:
    bundle(tree, "1.2.3-aa", "3.13", "x86_64")
    write_as_another_file(the_wheels(tree) / "pip-99.whl", b"download")
    with pytest.raises(BundleError, match=r"pip-99\.whl is no wheel"):
        bundle(tree, "1.2.3-aa", "3.13", "x86_64")


def test_a_wheel_lost_from_the_cache_is_told(tree: Path, pip_calls: list[str]) -> None:
    bundle(tree, "1.2.3-aa", "3.13", "x86_64")
    (the_wheels(tree) / "download-1.whl").unlink()
    with pytest.raises(BundleError, match=r"has no wheel of msgspec==0\.22\.0"):
        bundle(tree, "1.2.3-aa", "3.13", "x86_64")


@pytest.mark.parametrize("evil", [b"", b"wheel", b"other"])
def test_a_changed_archive_in_the_cache_is_made_anew(tree: Path, pip_calls: list[str], evil: bytes) -> None:
    archive = bundle(tree, "1.2.3-aa", "3.13", "x86_64")
    good = archive.read_bytes()
    with tarfile.open(archive, "w") as tar:
        for name in ("RELEASE.json", "wheels/download-1.whl", "wheels/wheel-1.whl", *(["wheels/evil-1.whl"] if evil else [])):
            member = tarfile.TarInfo(name)
            content = b"changed" if name == "wheels/wheel-1.whl" else evil
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    assert names(bundle(tree, "1.2.3-aa", "3.13", "x86_64")) == ["RELEASE.json", "wheels/download-1.whl", "wheels/wheel-1.whl"]
    with tarfile.open(archive) as tar:
        content_now = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    assert content_now["wheels/wheel-1.whl"] == b"wheel"
    assert content_now["RELEASE.json"] in good


def test_bundles_of_long_ago_are_removed_and_those_just_used_are_not(tree: Path, pip_calls: list[str]) -> None:
    archives = [bundle(tree, f"1.2.3-{number}", "3.13", "x86_64") for number in range(7)]
    assert all(archive.exists() for archive in archives)
    for age, archive in enumerate(archives):
        os.utime(archive, (0, 1000 + age))
    bundle(tree, "1.2.3-0", "3.13", "x86_64")
    assert [archive.exists() for archive in archives] == [True, *[False] * 5, True]


def test_a_failed_build_leaves_nothing_that_looks_complete(
    tree: Path, pip_calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(source: Path, work: Path) -> Path:
        raise BundleError("no hatchling")

    monkeypatch.setattr(the_module, "_project_wheel", broken)
    with pytest.raises(BundleError):
        bundle(tree, "1.2.3-aa", "3.13", "x86_64")
    assert [path.name for path in (tree / ".cache/releases").iterdir()] == [".lock"]


def test_a_tree_that_cannot_be_built_is_told_with_pips_words(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"(?s)cannot be built.*pip said:.*"):
        the_module._project_wheel(tmp_path, tmp_path)


@pytest.mark.parametrize("why", [errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_a_tree_that_takes_no_file_is_told_with_the_cure(
    tree: Path, pip_calls: list[str], monkeypatch: pytest.MonkeyPatch, why: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(why, os.strerror(why), str(tree / ".cache/releases/.lock"))

    monkeypatch.setattr(the_module, "_lock", refuse)
    with pytest.raises(BundleError, match=r"\.cache/releases/\.lock.*a release is built in \.cache of this tree"):
        bundle(tree, "r", "3.13", "x86_64")
