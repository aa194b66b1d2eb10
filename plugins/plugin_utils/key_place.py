"""Find the file of variables that holds the keys of an inventory, and the lines to type about it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .key_file import Refused

_FOLDERS = ("group_vars", "host_vars")
_SUFFIXES = ("", ".yml", ".yaml", ".json")
_MOST_FILES = 1000


def default_file(inventory: str | None, sets_keys: Callable[[Path], bool]) -> Path:
    """Return the file beside the `inventory` (its folder) that has the list of keys, or may get it.

    It is the one for which `sets_keys` is true; else the file ``group_vars/all.yml``, if there is one; else a new
    ``group_vars/all/keys.yml``. Raises `Refused` if several set it, and without a folder.
    """
    if not inventory:
        raise Refused("this inventory has no folder for keys: name the file, -e keys_file=FILE, and give it to deploys: -e @FILE")
    root = Path(inventory)
    found = [path for path in _variables(root) if sets_keys(path)]
    if len(found) > 1:
        named = " and ".join(map(typed, found))
        raise Refused(f"exotel_ws_credentials is set in {named}: say which is meant, -e keys_file={typed(found[0])}")
    if found:
        return found[0]
    return next((path for path in _named(root / "group_vars/all") if path.is_file()), root / "group_vars/all/keys.yml")


def hides(path: Path) -> str:
    """Return why the new file `path` would do harm; empty if it would not.

    Of ``group_vars/all/`` and ``group_vars/all.yml`` Ansible reads the folder only.
    """
    folder = path.parent
    if folder.is_dir() or folder.parent.name not in _FOLDERS:
        return ""
    beside = [other for other in _named(folder) if other.is_file()]
    if not beside:
        return ""
    made = f"mkdir {typed(folder)} && mv {typed(beside[0])} {typed(folder)}/main.yml"
    return f"beside a folder {typed(folder)} Ansible would not read {typed(beside[0])} any more. Put that into the folder: {made}"


def typed(path: Path | str) -> str:
    """Return `path` as one would type it here, quoted for a shell."""
    relative = os.path.relpath(path)
    return shlex.quote(str(path) if relative.startswith("..") else relative)


def line(said: Mapping[str, Any], playbook: str, *more: str) -> str:
    """Return the command that runs another `playbook` like the one that runs; `said` are Ansible's arguments, `more` are added.

    Kept are the inventory, the limit, files of variables, and the vault passwords, as far as they were typed.
    """
    own = str((said.get("args") or ("playbooks/keys.yml",))[0])
    there = str(Path(own).with_name(f"{playbook}.yml")) if own.endswith((".yml", ".yaml")) else f"exotel.voicebot.{playbook}"
    words = ["ansible-playbook", there]
    for option, name in (("-i", "inventory"), ("--vault-id", "vault_ids"), ("--vault-password-file", "vault_password_files")):
        words += [word for value in said.get(name) or () for word in (option, str(value))]
    words += ["--ask-vault-pass"] if said.get("ask_vault_pass") else []
    words += ["--limit", str(said["subset"])] if said.get("subset") else []
    words += [word for value in said.get("extra_vars") or () if str(value).startswith("@") for word in ("-e", str(value))]
    return shlex.join([*words, *more])


def _variables(root: Path) -> Sequence[Path]:
    """Return the files of variables beside an inventory that Ansible may read."""
    found = [
        path
        for folder in _FOLDERS
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in _SUFFIXES and path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    ]
    if len(found) > _MOST_FILES:
        raise Refused(f"there are more than {_MOST_FILES} files of variables: name the one of the keys, -e keys_file=FILE")
    return found


def _named(path: Path) -> Sequence[Path]:
    return [path.with_name(f"{path.name}{suffix}") for suffix in _SUFFIXES]
