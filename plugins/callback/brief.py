"""Print changes, findings and failures only; leave out tasks that found everything in order."""

from __future__ import annotations

DOCUMENTATION = """
name: brief
type: stdout
author:
  - The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: What changed, what was found, what failed
description:
  - As P(ansible.builtin.default#callback), but a task that found everything as it should be, or was skipped, is not shown, and
    what M(ansible.builtin.debug) says stands there as plain text.
  - With C(-v) and more it is P(ansible.builtin.default#callback).
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

from typing import Any

from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as Default

_DEBUG = ("debug", "ansible.builtin.debug", "ansible.legacy.debug")


class CallbackModule(Default):  # type: ignore[misc]
    """The callback of this file, as Ansible finds it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "brief"

    def get_option(self, option: str, hostvars: dict[str, Any] | None = None) -> Any:
        """Return an option; without -v, results in order and skipped tasks are not displayed."""
        if option in ("display_ok_hosts", "display_skipped_hosts") and not self._display.verbosity:
            return False
        return super().get_option(option, hostvars)

    def v2_runner_on_ok(self, result: Any) -> None:
        """Show the changes or messages of a task."""
        if self._display.verbosity or result.result.get("changed", False):
            super().v2_runner_on_ok(result)
        elif not isinstance(result.task, TaskInclude):
            self._handle_warnings_and_exception(result)
            if result.task.loop is None:
                self._say(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Show the changes or messages of one item of a loop."""
        if self._display.verbosity or result.result.get("changed", False):
            super().v2_runner_item_on_ok(result)
        elif not isinstance(result.task, TaskInclude):
            self._say(result)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Show the included files of tasks only with -v."""
        if self._display.verbosity:
            super().v2_playbook_on_include(included_file)

    def _say(self, result: Any) -> None:
        said = result.result.get("msg")
        if result.task.action not in _DEBUG or not said:
            return
        lines = [str(line) for line in said] if isinstance(said, list) else str(said).strip("\n").splitlines()
        host = self.host_label(result)
        if len(lines) == 1:
            self._display.display(f"{host} | {lines[0]}")
        else:
            self._display.display(f"{host} | {_title(result.task.get_name())}:")
            self._display.display("\n".join(f"    {line}".rstrip() for line in lines))


def _title(name: str) -> str:
    """Return a task's name without its role and its file."""
    return name.strip().rpartition(" : ")[2].rpartition(" | ")[2]
