"""The controller's half of the module of the same name: find the release, build it once, copy it where it lacks."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.bundle import BundleError, bundle, wheels_of
from ..plugin_utils.release_id import release_id

_MODULE = "exotel.voicebot.release"


class ActionModule(ActionBase):  # type: ignore[misc]
    """See the module's documentation."""

    TRANSFERS_FILES = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        seen = self._execute_module(module_name=_MODULE, task_vars=task_vars)
        if seen.get("failed"):
            return dict(seen)
        target = seen["target"]
        source = Path(self._task.args["source"]).expanduser()
        try:
            extras = self._task.args.get("extras") or []
            release = release_id(source, target["version"], f"linux-{target['machine']}", extras)
            result = self._result(release, seen)
            if result["changed"] and not self._task.check_mode:
                found = self._look_for(release, task_vars)
                if found.get("failed"):
                    return dict(found)
                archive = bundle(source, release, target["version"], target["machine"], extras, found["held"])
                done = self._stage(archive, release, task_vars)
                if done.get("failed"):
                    return dict(done)
        except (BundleError, ValueError) as error:
            raise AnsibleActionFail(str(error)) from None  # Ansible shows the causes too: the same words
        except PermissionError as error:
            cure = shlex.join(["chown", "-R", os.environ.get("USER", "YOU"), str(source / ".cache")])
            raise AnsibleActionFail(f"{error}; another user (root?) built releases in this tree before: sudo {cure}") from None
        return result

    def _look_for(self, release: str, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        arguments = {**self._task.args, "release": release}
        return dict(self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=task_vars))

    def _result(self, release: str, seen: dict[str, Any]) -> dict[str, Any]:
        before = seen["staged"]
        after = sorted({*before, release})
        root = seen["invocation"]["module_args"]["root"]
        result = {"changed": after != before, "release": release, "path": f"{root}/{release}"}
        if self._task.diff:
            texts = {"before": _lines(before), "after": _lines(after)}
            result["diff"] = {"before_header": root, "after_header": root, **texts}
        return result

    def _stage(self, archive: Path, release: str, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        self._make_tmp_path()
        remote = self._connection._shell.join_path(self._connection._shell.tmpdir, archive.name)
        self._transfer_file(str(archive), remote)
        self._fixup_perms2((self._connection._shell.tmpdir, remote))
        try:
            arguments = {**self._task.args, "bundle": remote, "release": release, "wheels": wheels_of(archive)}
            return dict(self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=task_vars))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)


def _lines(names: list[str]) -> str:
    return "".join(f"{name}\n" for name in names)
