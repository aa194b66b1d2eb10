"""``targets``: the hosts that a playbook of this collection is for, or an error that says what to type."""

from __future__ import annotations

DOCUMENTATION = """
name: targets
author: The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: The pattern of the hosts to deploy to and to look after
description:
  - The group C(exotel_ws), or all hosts of an inventory without that group. The lab's own machine is none of them.
  - Fails, with the line to type, where no inventory was given, where one does not exist, and where no host is left.
  - A play may set C(exotel_voicebot_no_host_is_fine) to true, and then gets a pattern that no host matches.
  - C(playbooks/targets.yml) puts these hosts into the group, for later plays. So an inventory without the group can't be
    used with options that skip that task.
options:
  or_here:
    description: Without any inventory the answer is C(localhost), for a play that touches no host.
    type: bool
    default: false
"""

EXAMPLES = """
- name: Find the servers
  hosts: "{{ lookup('exotel.voicebot.targets') }}"
"""

RETURN = """
_raw:
  description: The pattern, as the only entry.
  type: list
  elements: str
"""

import os
import shlex
from collections.abc import Mapping
from typing import Any

from ansible import constants, context
from ansible.errors import AnsibleError
from ansible.parsing.vault import AnsibleVaultError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ..plugin_utils.key_place import typed
from ..plugin_utils.targets import GROUP, NoTarget, Typed, config_warning, pattern, spoiled
from ..plugin_utils.variables import specs_by_role
from ..plugin_utils.vault_fault import of_text


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup of this file, as Ansible finds it."""

    def run(self, terms: list[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return the pattern; it takes no terms. Raises AnsibleError where no host is left."""
        said = variables or {}
        # Keep them in the process that each task is forked from, so that no task reads them again.
        specs_by_role()
        if context.CLIARGS.get("syntax"):
            return ["all"]
        self.set_options(var_options=variables, direct=kwargs)
        if warning := config_warning(constants.INVENTORY_IGNORE_PATTERNS, _typed().sources):
            Display().warning(warning)
        if problem := spoiled(_typed().sources, self._loader.load_from_file):
            raise AnsibleError(problem)
        try:
            found = pattern(
                {name: list(hosts) for name, hosts in said.get("groups", {}).items()},
                frozenset(said.get("ansible_play_hosts_all", ())),
                _typed(),
                or_here=self.get_option("or_here"),
                none_is_fine=bool(said.get("exotel_voicebot_no_host_is_fine", False)),
            )
        except NoTarget as none:
            raise AnsibleError(str(none)) from None
        if closed := self._encrypted_file(said, found):
            raise AnsibleError(of_text(f"{closed} is encrypted"))
        if found != GROUP and (option := _skipping()):
            raise AnsibleError(f"with {option} an inventory needs the group {GROUP}: write one as in inventory/example/hosts.yml")
        return [found]

    def _encrypted_file(self, said: Mapping[str, Any], found: str) -> str:
        """Return a file of variables of the hosts that cannot be decrypted; empty if there is none.

        Ansible reads these files before the first task, and names none when it fails.
        """
        groups = said.get("groups", {})
        hosts = set(groups.get(found, groups.get("all", ()))) & set(said.get("ansible_play_hosts_all", ()))
        owners = {"group_vars": [name for name, members in groups.items() if hosts & set(members)], "host_vars": sorted(hosts)}
        for source in _typed().sources:
            folder = source if os.path.isdir(source) else os.path.dirname(source)
            for kind, names in owners.items():
                for file in (file for name in names for file in self._loader.find_vars_files(os.path.join(folder, kind), name)):
                    try:
                        self._loader.get_text_file_contents(file)
                    except AnsibleVaultError:
                        return typed(os.fsdecode(file))
        return ""


def _typed() -> Typed:
    sources = tuple(context.CLIARGS.get("inventory") or ())
    _, origin = constants.config.get_config_value_and_origin("DEFAULT_HOST_LIST")
    chosen = origin != "default" or list(sources) != list(constants.DEFAULT_HOST_LIST)
    playbooks = tuple(os.path.relpath(playbook) for playbook in context.CLIARGS.get("args") or ())
    return Typed(
        shlex.quote(playbooks[0]) if playbooks else "deploy.yml", sources if chosen else (), context.CLIARGS.get("subset") or ""
    )


def _skipping() -> str:
    """Return the option that skips the task that makes the group; empty if there is none."""
    if context.CLIARGS.get("start_at_task"):
        return "--start-at-task"
    return "--skip-tags always" if "always" in (context.CLIARGS.get("skip_tags") or ()) else ""
