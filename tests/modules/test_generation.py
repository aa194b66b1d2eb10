"""A generation is its content: what changes it changes its hash, and it reads back as it was written."""

import dataclasses
from pathlib import Path

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.generation import (
    Content,
    load_all,
    mark_served,
    new_generation,
    save,
)
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import Paths

CONTENT = Content("1-aa", "port = 1\n", {"a.socket": "x", "b.service": "y"}, 2, "0.0.0.0:8765")
AT = 1795342500.0  # 2026-11-22 10:15:00 UTC


@pytest.mark.parametrize(
    "change",
    [
        {"release": "1-bb"},
        {"settings": "port = 2\n"},
        {"units": {"a.socket": "x", "b.service": "z"}},
        {"units": {"a.socket": "x"}},
        {"workers": 3},
        {"listen": "[::]:8765"},
        {"files": {"flow.yml": "greeting: Hello"}},
    ],
)
def test_each_part_of_the_content_changes_the_hash(change: dict[str, object]) -> None:
    assert dataclasses.replace(CONTENT, **change).hash() != CONTENT.hash()  # type: ignore[arg-type]


def test_the_order_of_units_does_not_change_the_hash() -> None:
    turned = dataclasses.replace(CONTENT, units={"b.service": "y", "a.socket": "x"})
    assert turned.hash() == CONTENT.hash()


def test_the_name_is_the_time_and_the_hash() -> None:
    generation = new_generation(CONTENT, "somebody", AT)
    assert generation.id == f"20261122T101500-{CONTENT.hash()[:8]}"
    assert generation.instances == (f"{generation.id}-1", f"{generation.id}-2")


def test_a_generation_reads_back_as_it_was_written(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    content = dataclasses.replace(CONTENT, files={"flow.yml": "greeting: नमस्ते\n", "prompt.txt": "Be kind."})
    generation = new_generation(content, "somebody", AT, rollback_of="20261121T000000-00000000")
    save(paths, generation)
    assert load_all(paths) == {generation.id: generation}
    mark_served(paths, generation.id)
    served = load_all(paths)[generation.id].served
    assert served
    assert (paths.generations / generation.id / "release").readlink() == paths.releases / "1-aa"


def test_a_generation_of_before_there_were_files_reads_back(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    generation = new_generation(CONTENT, "somebody", AT)
    save(paths, generation)
    (paths.generations / generation.id / "files").rmdir()
    assert load_all(paths) == {generation.id: generation}


def test_generations_come_oldest_first(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    for second in (5, 1, 3):
        save(paths, new_generation(CONTENT, "somebody", AT + second))
    assert list(load_all(paths)) == sorted(load_all(paths))


def test_a_directory_that_is_not_whole_is_no_generation(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    (paths.generations / ".staging-20261122T101500-aa").mkdir(parents=True)
    (paths.generations / ".staging-20261122T101500-aa/generation.json").write_text("{}")
    (paths.generations / "20261122T101500-bb").mkdir()
    assert load_all(paths) == {}
