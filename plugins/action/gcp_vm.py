"""Run the module of the same name on the controller."""

from __future__ import annotations

from ..plugin_utils.controller import OnController


class ActionModule(OnController):
    """The action of this file, as Ansible finds it."""
