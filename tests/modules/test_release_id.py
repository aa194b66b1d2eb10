"""A release is named after all that goes into it, and after nothing else."""

from pathlib import Path

import pytest
from ansible_collections.exotel.voicebot.plugins.plugin_utils.release_id import release_id

FILES = {
    "pyproject.toml": 'name = "exotel-voicebot"\nversion = "1.2.3"\n',
    "requirements/runtime.lock": "msgspec==1\n",
    "server/exotel_ws/cli.py": "one\n",
    "tools/exotelctl/cli.py": "two\n",
    "plugins/module_utils/plan.py": "three\n",
    "plugins/modules/generation.py": "four\n",
    "README.md": "read me\n",
    "docs/performance.md": "fast\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def named(tree: Path) -> str:
    return release_id(tree, "3.11", "linux-x86_64")


def test_the_name_begins_with_the_version(tree: Path) -> None:
    version, _, digest = named(tree).rpartition("-")
    assert version == "1.2.3"
    assert len(digest) == 10


@pytest.mark.parametrize(
    "name",
    [
        "pyproject.toml",
        "requirements/runtime.lock",
        "server/exotel_ws/cli.py",
        "tools/exotelctl/cli.py",
        "plugins/module_utils/plan.py",
    ],
)
def test_a_changed_input_changes_the_name(tree: Path, name: str) -> None:
    before = named(tree)
    (tree / name).write_text(FILES[name] + "more\n")
    assert named(tree) != before


@pytest.mark.parametrize(
    "name",
    ["README.md", "docs/performance.md", "plugins/modules/generation.py", "server/exotel_ws/__pycache__/cli.cpython-311.pyc"],
)
def test_what_is_no_input_does_not_change_the_name(tree: Path, name: str) -> None:
    before = named(tree)
    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).write_text("other\n")
    assert named(tree) == before


def test_text_moved_from_one_file_to_another_changes_the_name(tree: Path) -> None:
    before = named(tree)
    (tree / "server/exotel_ws/cli.py").write_text("")
    (tree / "tools/exotelctl/cli.py").write_text("one\ntwo\n")
    assert named(tree) != before


def test_python_and_platform_are_part_of_the_name(tree: Path) -> None:
    names = {release_id(tree, python, f"linux-{machine}") for python in ("3.11", "3.13") for machine in ("x86_64", "aarch64")}
    assert len(names) == 4


def test_another_directory_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"server is missing: exotel_ws_source must be a tree of this project"):
        named(tmp_path)
