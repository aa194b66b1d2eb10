"""Run a command on the controller that changes nothing there; see the module's documentation."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils.controller import run_here


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action of this file, as Ansible finds it."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the exit code and the output; it fails where the exit code is not 0."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            {
                "argv": {"type": "list", "elements": "str", "required": True},
                "stdin": {"type": "str", "default": ""},
                "files": {"type": "dict", "default": {}},
                "timeout": {"type": "int", "default": 600},
                "variables": {"type": "dict", "default": {}},
            }
        )
        result |= run_here(options["argv"], options["stdin"], options["files"], options["timeout"], options["variables"])
        result["changed"] = False
        if result["rc"] != 0:
            result["failed"] = True
            result["msg"] = result["stderr"] or f"exit code {result['rc']}"
        return result
