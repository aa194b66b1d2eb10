"""Look at a host before anything is done there; see the module's documentation."""

from __future__ import annotations

import re
import shlex
from typing import Any

import yaml
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ..plugin_utils.login import not_root, unreachable


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action of this file, as Ansible finds it."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the facts that the script prints. Raises AnsibleConnectionFailure, with the cure, where nobody can log in."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        said = task_vars or {}
        _, options = self.validate_argument_spec(
            {"script": {"type": "str", "required": True}, "environment": {"type": "dict", "default": {}}}
        )
        given = {"INTERPRETER": str(said.get("ansible_python_interpreter", "")), **options["environment"]}
        assignments = " ".join(f"{name}={shlex.quote(str(value))}" for name, value in given.items())
        name = said["inventory_hostname"]
        try:
            done = self._low_level_execute_command(f"{assignments}; {options['script']}" if assignments else options["script"])
        except AnsibleConnectionFailure as error:
            raise AnsibleConnectionFailure(self._unreachable(said, str(error))) from None
        except AnsibleError as error:  # of sudo
            return {**result, "failed": True, "msg": not_root(name, str(error))}
        output = done.get("stdout", "").replace("\r\n", "\n")  # of a terminal
        _, marker, facts = output.partition("--- look\n")
        if not marker:
            problem = " ".join([output, done.get("stderr", ""), f"(exit code {done.get('rc')})"])
            return {**result, "failed": True, "msg": not_root(name, problem)}
        return {**result, "changed": False, "facts": yaml.safe_load(facts)}

    def _unreachable(self, said: dict[str, Any], problem: str) -> str:
        address = str(said.get("ansible_host") or said["inventory_hostname"])
        names = ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args")
        arguments = " ".join(str(self._templar.template(said.get(name) or "")) for name in names)
        return unreachable(said["inventory_hostname"], address, self._play_context.remote_user or "", _of_ssh(problem), arguments)


def _of_ssh(problem: str) -> str:
    return re.sub(r"^Failed to connect to the host via ssh: ", "", problem)
