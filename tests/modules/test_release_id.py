"""A release is named after all of its content, and after nothing else."""

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


EXTRAS = '[project]\nversion = "1.2.3"\n[project.optional-dependencies]\nai = []\nazure = []\nunlocked = []\n'


def with_extras(tree: Path) -> Path:
    (tree / "pyproject.toml").write_text(EXTRAS)
    for extra in ("ai", "azure"):
        (tree / f"requirements/{extra}.lock").write_text(f"{extra}==1\n")
    return tree


def test_a_release_with_extras_has_their_locks_instead_of_the_servers_own(tree: Path) -> None:
    with_extras(tree)
    ai = release_id(tree, "3.11", "linux-x86_64", ["ai"])
    assert ai != named(tree)
    assert release_id(tree, "3.11", "linux-x86_64", ["azure", "ai"]) == release_id(tree, "3.11", "linux-x86_64", ["ai", "azure"])
    (tree / "requirements/runtime.lock").write_text("msgspec==2\n")
    (tree / "requirements/azure.lock").write_text("azure==2\n")
    assert release_id(tree, "3.11", "linux-x86_64", ["ai"]) == ai
    (tree / "requirements/ai.lock").write_text("ai==2\n")
    assert release_id(tree, "3.11", "linux-x86_64", ["ai"]) != ai


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("azur", r"azur is no extra of this project \(did you mean azure\? there are: ai, azure\)"),
        ("unlocked", r"unlocked is no extra of this project \(there are: ai, azure\)"),
    ],
)
def test_an_unknown_extra_is_refused_with_those_that_have_a_lock(tree: Path, extra: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        release_id(with_extras(tree), "3.11", "linux-x86_64", ["ai", extra])


def test_another_directory_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"server is missing: exotel_ws_source must be a tree of this project"):
        named(tmp_path)
