"""Run modules on the controller as the user who typed the command, with Ansible's own Python and no connection."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.playbook.play_context import PlayContext
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader

_OF_THE_HOST = ("ansible_become", "ansible_connection", "ansible_delegated_vars", "ansible_remote_tmp", "ansible_shell")


class OnController(ActionBase):  # type: ignore[misc]
    """Run the module of the same name on the controller, regardless of an inventory's, ``-e``'s or ``--become``'s settings.

    A delegated task runs where it is delegated to, like any other module.
    """

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        if self._task.delegate_to is None:
            task_vars = self._be_here(task_vars or {})
        try:
            result.update(self._execute_module(task_vars=task_vars))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _be_here(self, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Replace the host's connection with a local one, and return the variables without those for the host's connection."""
        self._play_context = PlayContext()
        self._play_context.become = False
        self._connection = connection_loader.get("ansible.builtin.local", self._play_context, "/dev/null")
        self._connection.set_options()
        # Avoid the home directory, which a service's account may lack.
        self._connection._shell.set_options(var_options={"ansible_remote_tmp": constants.DEFAULT_LOCAL_TMP})
        kept = {name: value for name, value in task_vars.items() if not name.startswith(_OF_THE_HOST)}
        return {**kept, "ansible_python_interpreter": sys.executable}


def run_here(
    argv: list[str],
    stdin: str = "",
    files: Mapping[str, str] | None = None,
    timeout_s: float = 600.0,
    variables: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run `argv` and return its ``rc``, ``stdout`` and ``stderr``; 127 if it can't be run, 124 when the time is over.

    Its working directory is one of its own that is deleted afterwards, with `files` in it, their contents in base64;
    `variables` are added to its environment.
    """
    with tempfile.TemporaryDirectory(prefix="exotelctl-") as directory:
        for name, content in (files or {}).items():
            file = Path(directory, name)
            file.touch(mode=0o600)
            file.write_bytes(base64.b64decode(content))
        try:
            done = subprocess.run(
                argv,
                input=stdin.encode(),
                cwd=directory,
                capture_output=True,
                timeout=timeout_s,
                check=False,
                env={**os.environ, **(variables or {})},
            )
        except OSError as error:
            return {"rc": 127, "stdout": "", "stderr": f"{argv[0]}: {error.strerror}"}
        except subprocess.TimeoutExpired:
            return {"rc": 124, "stdout": "", "stderr": f"{argv[0]}: no end within {timeout_s:g} s"}
    return {
        "rc": done.returncode,
        "stdout": done.stdout.decode(errors="replace").rstrip("\n"),
        "stderr": done.stderr.decode(errors="replace").rstrip("\n"),
    }
