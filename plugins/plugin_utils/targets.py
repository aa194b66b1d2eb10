"""Choose the hosts of a playbook, or say what to type if there are none."""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GROUP = "exotel_ws"
LAB_MACHINE = "lab_machine"
TREE = Path(__file__).resolve().parents[2]
INSTALLED = TREE.parts[-3:] == ("ansible_collections", "exotel", "voicebot")
"""True in a built collection, which Ansible finds by its name; False in a clone, in which people keep inventories."""
FILES = "files"
"""Directory beside an inventory that holds flows and prompts, no hosts."""


class NoTarget(ValueError):
    """Raised if no host is left; the text has the reason and the line to type."""


@dataclass(frozen=True)
class Typed:
    """Command as typed: the playbook, the inventories (none: Ansible's default file applies), and ``--limit``."""

    playbook: str
    sources: tuple[str, ...]
    limit: str


def pattern(
    groups: Mapping[str, Sequence[str]],
    within: frozenset[str],
    typed: Typed,
    *,
    or_here: bool = False,
    none_is_fine: bool = False,
) -> str:
    """Return the pattern of the hosts: those of the group, or all but the lab's machine.

    `within` are the hosts that ``--limit`` leaves. `or_here` gives localhost without an inventory. Raises `NoTarget` if a
    file that was typed is missing, or if no host is left, unless `none_is_fine`.
    """
    for source in typed.sources:
        if "," not in source and not os.path.exists(source):
            raise NoTarget(_missing(source, typed))
    everyone = groups.get("all", ())
    if GROUP in groups:
        found, hosts = GROUP, groups[GROUP]
    elif everyone and not typed.sources and not or_here:
        # The hosts come from /etc/ansible/hosts, which may list machines of any kind.
        raise NoTarget(f"no inventory was given, and that of this machine has no group {GROUP}. {_type(typed)}")
    else:
        found = f"all:!{LAB_MACHINE}" if LAB_MACHINE in groups else "all"
        hosts = [name for name in everyone if name not in groups.get(LAB_MACHINE, ())]
    if or_here and not everyone and not typed.sources:
        return "localhost"
    if none_is_fine or any(name in within for name in hosts):
        return found
    if hosts and typed.limit:
        raise NoTarget(f"--limit {typed.limit} leaves no host: there are {', '.join(sorted(hosts))}")
    if not typed.sources:
        raise NoTarget(f"no inventory was given, so there is no host. {_type(typed)}")
    where = " and ".join(_short(source) for source in typed.sources)
    what = f"the group {GROUP} of {where} has no host" if GROUP in groups else f"{where} has no host to deploy to"
    raise NoTarget(f"{what}: write one into it as inventory/example/hosts.yml does, and mend what Ansible warns of above")


def spoiled(sources: Sequence[str], load: Callable[[str], object]) -> str:
    """Return a message about a file of YAML or JSON that `load` cannot read; empty if it can read all.

    Ansible only warns of it, and a verb would go on with the hosts of the other files as if there were no more.
    """
    for source in sources:
        entries = sorted(Path(source).iterdir()) if "," not in source and os.path.isdir(source) else [Path(source)]
        for file in entries:
            if file.suffix in (".yml", ".yaml", ".json") and file.is_file() and not os.access(file, os.X_OK):
                try:
                    load(str(file))
                except Exception as error:  # the loader may raise any
                    why = " ".join(str(error).split())
                    return f"the inventory {_short(file)} cannot be read, so its hosts would be left out: {why}"
    return ""


def config_warning(ignored: Sequence[str], sources: Sequence[str], *, installed: bool = INSTALLED) -> str:
    """Return a message if Ansible reads `FILES` beside an inventory as more inventories; empty if not.

    `ignored` are the patterns of names that Ansible leaves out in a directory, as this tree's ``ansible.cfg`` sets them.
    """
    if any(re.search(pattern, FILES) for pattern in ignored):
        return ""
    beside = [source for source in sources if "," not in source and Path(source, FILES).is_dir()]
    if not beside:
        return ""
    reads = f"so it takes what is in {_short(beside[0])}/{FILES} for inventories. Type before it: export"
    if installed:
        return f"Ansible does not ignore directories of that name, {reads} ANSIBLE_INVENTORY_IGNORE_REGEX='^{FILES}$'"
    return f"Ansible does not use {TREE / 'ansible.cfg'}, {reads} ANSIBLE_CONFIG={TREE / 'ansible.cfg'}"


def _missing(source: str, typed: Typed) -> str:
    parent = Path(source).parent
    beside = sorted(path.name for path in parent.iterdir()) if parent.is_dir() else []
    near = difflib.get_close_matches(Path(source).name, beside, n=1)
    if near:
        meant = f"ansible-playbook {typed.playbook} -i {_short(parent / near[0])}"
        return f"there is no inventory {_short(source)}. Did you mean: {meant}"
    return f"there is no inventory {_short(source)}. {_type(typed)}"


def _type(typed: Typed) -> str:
    inventories = Path(os.path.relpath(TREE)) / "inventory"
    own = Path("production") if INSTALLED else inventories / "production"
    example, here, mine = (shlex.quote(str(path)) for path in (inventories / "example", inventories / "here", own))
    made = "" if own.exists() else f" (first: cp -r {example} {mine}, and edit the address in it)"
    return f"Type: ansible-playbook {typed.playbook} -i {mine}{made}; on the server itself: -i {here}"


def _short(path: str | Path) -> str:
    """Return `path` as one would type it here, quoted for a shell."""
    relative = os.path.relpath(path)
    return shlex.quote(str(path) if relative.startswith("..") else relative)
