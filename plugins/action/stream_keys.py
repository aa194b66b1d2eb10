"""Keep the keys of streams in a file on the controller; see the module's documentation."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.parsing.vault import VaultSecretsContext
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..plugin_utils import key_place, key_texts, key_usage
from ..plugin_utils.key_file import Closed, KeyFile, NoSecret, NotEncrypted, Refused, Vault, labels, locked, new_key
from ..plugin_utils.key_list import NAME
from ..plugin_utils.key_texts import Lines
from ..plugin_utils.key_usage import Answer
from ..plugin_utils.variables import settled


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action of this file, as Ansible finds it."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what was done, without a key. A new one is shown on the screen only: in no result, log or diff."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            {
                "verb": {"type": "str", "required": True, "choices": ["add", "list", "retire"]},
                "file": {"type": "str", "default": ""},
                "plain": {"type": "bool", "default": False},
                "name": {"type": "str", "default": ""},
                "force": {"type": "bool", "default": False},
            }
        )
        try:
            return result | self._carried_out(options, task_vars or {})
        except Refused as refused:
            return result | {"failed": True, "msg": str(refused)}

    def _carried_out(self, options: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
        vault = Vault(VaultSecretsContext.current().secrets or [], constants.DEFAULT_VAULT_ENCRYPT_IDENTITY)
        path = self._path(str(options["file"]), said, vault)
        lines, shown = self._lines(path, said, options), key_place.typed(path)
        writes = options["verb"] != "list" and not self._task.check_mode
        try:
            with locked(path.parent) if writes else contextlib.nullcontext():
                file = KeyFile.read(path, vault)
                self._same_as_servers_get(file, said)
                return self._act(file, options, key_usage.answers(said["ansible_play_hosts_all"], said["hostvars"]), lines)
        except NotEncrypted:
            raise Refused(key_texts.not_encrypted(shown, lines)) from None
        except NoSecret:
            raise Refused(key_texts.no_secret(shown, lines)) from None
        except Closed:
            raise Refused(key_texts.closed(shown, options["verb"], lines)) from None
        except Refused as refused:
            raise Refused(f"{shown}: {refused}") from None
        except OSError as error:
            raise Refused(f"{shown}: {error.strerror}") from None

    def _act(self, file: KeyFile, options: Mapping[str, Any], found: list[Answer], lines: Lines) -> dict[str, Any]:
        keys, shown, dry = file.keys(), key_place.typed(file.path), self._task.check_mode
        names = labels(keys)
        if options["verb"] == "list":
            return {"changed": False, "text": key_texts.listed(keys, names, shown, found, lines)}
        if options["verb"] == "retire":
            number = _number(names, str(options["name"]))
            left = [key for key in keys if key != keys[number]]
            if not left:
                raise Refused(f"{names[number]} is the last key, and without one anybody may begin a call: add another first")
            if (objection := key_usage.still_used(keys[number], found)) and not options["force"]:
                raise Refused(f"{names[number]} is not retired, {objection}. To do it all the same: -e keys_force=true")
            after, unused = file.without_key(number), key_usage.unused(left, found)
            text = key_texts.retired(names[number], labels(left), shown, found, lines, dry=dry, unused=unused)
        else:
            key = new_key(keys, time.time())
            name, after = key.partition(":")[0], file.with_key(key, plain=options["plain"])
            text = key_texts.added(name, names, shown, lines, dry=dry)
        if not dry:
            after.write()
            if options["verb"] == "add":
                Display().display(f"The new key, shown this once: {key}", screen_only=True)
        result = {"changed": True, "text": text}
        if self._task.diff:
            result["diff"] = _diff(shown, names, labels(after.keys()))
        return result

    def _path(self, typed: str, said: Mapping[str, Any], vault: Vault) -> Path:
        """Return the real path of the file, so that a link to it stays one. Raises Refused."""

        def sets_keys(path: Path) -> bool:
            with contextlib.suppress(Refused):
                return KeyFile.read(path, vault).sets_keys
            return False

        found = Path(typed).expanduser() if typed else key_place.default_file(said.get("inventory_dir"), sets_keys)
        path = Path(os.path.realpath(found))
        if harm := key_place.hides(path):
            raise Refused(f"{key_place.typed(path)}: {harm}")
        return path

    def _lines(self, path: Path, said: Mapping[str, Any], options: Mapping[str, Any]) -> Lines:
        arguments = context.CLIARGS
        beside = said.get("inventory_dir")
        read = beside and path.is_relative_to(os.path.realpath(beside))
        given = [str(value) for value in arguments.get("extra_vars") or () if str(value).startswith("@")]
        more = (
            ()
            if read or any(os.path.realpath(value[1:]) == str(path) for value in given)
            else ("-e", f"@{os.path.relpath(path)}")
        )
        named = ("-e", f"keys_file={options['file']}") if options["file"] else ()
        return Lines(key_place.line(arguments, "deploy", *more), key_place.line(arguments, "keys", *more, *named))

    def _same_as_servers_get(self, file: KeyFile, said: Mapping[str, Any]) -> None:
        """Raise Refused if a deploy would give a server other keys than those of the file."""
        ours = set(file.keys())
        for host in said["ansible_play_hosts_all"]:
            theirs = set(settled(NAME, said["hostvars"][host].get(NAME, [])))
            if theirs != ours and not (file.exists and not theirs and self._is_outside(file.path, said)):
                raise Refused(
                    f"a deploy gives {host} other keys than those in it. Name the file that {host} has {NAME} from, "
                    "-e keys_file=FILE; give the files that deploys get, -e @FILE; or choose hosts with --limit"
                )

    def _is_outside(self, path: Path, said: Mapping[str, Any]) -> bool:
        beside = said.get("inventory_dir")
        return not beside or not path.is_relative_to(os.path.realpath(beside))


def _number(names: list[str], name: str) -> int:
    if ":" in name:
        raise Refused("keys_name is the name of a key, what stands before its colon: never type the key itself")
    if name not in names:
        there = f"there are {', '.join(names)}" if names else "there is none"
        raise Refused(f"{f'there is no key {name}' if name else 'say which key, -e keys_name=NAME'}: {there}")
    return names.index(name)


def _diff(path: str, before: list[str], after: list[str]) -> dict[str, str]:
    texts = {name: "".join(f"{key}\n" for key in keys) for name, keys in (("before", before), ("after", after))}
    return {"before_header": f"{path} (names of keys)", "after_header": f"{path} (names of keys)", **texts}
