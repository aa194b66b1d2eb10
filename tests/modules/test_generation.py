"""A generation is its content: every change changes its hash, and it reads back as it was written."""

import dataclasses
import grp
import os
import stat
from pathlib import Path

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils import files, toml
from ansible_collections.exotel.voicebot.plugins.module_utils.generation import (
    Content,
    keep_key,
    load_all,
    mark_served,
    new_generation,
    read_key,
    save,
)
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import Paths
from ansible_collections.exotel.voicebot.plugins.modules import generation as the_module

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
        {"credentials": {"stream-credentials": "KEY:token"}},
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


def test_settings_and_files_are_for_the_service_only(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    earlier = new_generation(CONTENT, "somebody", AT)
    save(paths, earlier)
    settings = paths.generations / earlier.id / "settings.toml"
    settings.chmod(0o644)  # as earlier versions left it
    later = new_generation(dataclasses.replace(CONTENT, files={"prompt.txt": "Be kind."}), "somebody", AT + 1)
    save(paths, later, grp.getgrgid(os.getgid()).gr_name)
    private = [settings, *(paths.generations / later.id / name for name in ("settings.toml", "files/prompt.txt"))]
    assert [oct(path.stat().st_mode & 0o777) for path in private] == ["0o640"] * 3
    assert {path.stat().st_gid for path in private} == {os.getgid()}
    assert (paths.generations / later.id / "generation.json").stat().st_mode & 0o004


def test_who_may_not_read_the_settings_still_sees_the_generation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths(tmp_path)
    generation = new_generation(CONTENT, "somebody", AT)
    save(paths, generation)
    read = Path.read_text

    def may_not(path: Path, *arguments: str) -> str:
        if path.name == "settings.toml":
            raise PermissionError
        return read(path, *arguments)

    monkeypatch.setattr(Path, "read_text", may_not)
    assert load_all(paths)[generation.id].content == dataclasses.replace(CONTENT, settings="")


SETTINGS = {"mode": "echo", "ai": {"webhook_url": "https://hooks.example.com/T0PSEC", "model": "echo"}}


def test_the_module_shows_all_but_the_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    class Module:
        def __init__(self, argument_spec: dict[str, dict[str, object]], **_: object) -> None:
            assert all(argument_spec[name]["no_log"] is True for name in ("settings", "units", "files"))
            self.params = {name: spec.get("default") for name, spec in argument_spec.items()} | {"settings": SETTINGS}
            self.no_log_values = {"echo", "https://hooks.example.com/T0PSEC"}
            raise Made(self)

    class Made(Exception):
        pass

    monkeypatch.setattr(the_module, "AnsibleModule", Module)
    with pytest.raises(Made) as made:
        the_module.main()
    module = made.value.args[0]
    the_module._tell_secrets(module)
    assert module.no_log_values == {"T0PSEC"}
    told = str(the_module._invocation(module))
    assert "T0PSEC" not in told
    assert "hooks.example.com" in told


def test_a_diff_of_settings_shows_what_changes_and_no_secret() -> None:
    texts = [
        toml.dumps({"mode": mode, "ai": {"webhook_url": f"https://h.example/{key}"}})
        for mode, key in (("a", "k1y"), ("b", "k2y"))
    ]
    shown = the_module._shown("settings.toml", *texts)
    assert shown["before"] == 'mode = "a"\n\n[ai]\nwebhook_url = "https://h.example/•••"\n'
    assert shown["after"] == 'mode = "b"\n\n[ai]\nwebhook_url = "https://h.example/•••"\n'
    same = the_module._shown("settings.toml", texts[0], texts[0].replace("k1y", "k3y"))
    assert same["after"] == same["before"] + "# What changes is a secret, shown as •••.\n"


SECRETS = {"stream-credentials": "KEY:a-token-that-nobody-sees\n"}


def test_secrets_go_with_their_generation_and_only_root_reads_them(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    generation = new_generation(dataclasses.replace(CONTENT, credentials=SECRETS), "somebody", AT)
    save(paths, generation)
    assert load_all(paths)[generation.id].content.credentials == SECRETS
    directory = paths.generations / generation.id / "credentials"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()] == [0o600]


def test_no_secret_is_shown_nor_can_be_guessed_by_the_name_of_its_generation(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    content = dataclasses.replace(CONTENT, credentials=SECRETS)
    key = read_key(paths)
    keep_key(paths, key)
    assert read_key(paths) == key
    assert stat.S_IMODE(paths.hash_key.stat().st_mode) == 0o600
    generation = new_generation(content, "somebody", AT, key=key)
    save(paths, generation)
    assert content.hash(key) != content.hash(b"guessed")
    assert "a-token" not in repr(generation)
    assert "a-token" not in (paths.generations / generation.id / "generation.json").read_text()


def test_a_generation_of_before_there_were_files_reads_back(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    generation = new_generation(CONTENT, "somebody", AT)
    save(paths, generation)
    (paths.generations / generation.id / "files").rmdir()
    (paths.generations / generation.id / "credentials").rmdir()
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


def test_no_half_of_a_generation_stays_with_its_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths(tmp_path)
    generation = new_generation(dataclasses.replace(CONTENT, credentials=SECRETS), "somebody", AT)
    killed = paths.generations / ".staging-20261122T101459-aa/credentials"
    killed.mkdir(parents=True)
    (killed / "stream-credentials").write_text("left by a deploy that was killed")
    write = files.write

    def full_disk(path: Path, text: str, mode: int = 0o644) -> None:
        if path.name == "generation.json":
            raise OSError("no space left")
        write(path, text, mode)

    monkeypatch.setattr(files, "write", full_disk)
    with pytest.raises(OSError, match="no space left"):
        save(paths, generation)
    assert list(paths.generations.iterdir()) == []
