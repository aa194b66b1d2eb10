"""``typed_vars``: the names that were set on the command line."""

from __future__ import annotations

DOCUMENTATION = """
name: typed_vars
author: The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: Names of the variables that were typed with -e
description:
  - The names in C(-e name=value) or in JSON, so that a playbook whose variables have short names can refuse one that it
    does not know. Those of a file, C(-e @FILE), are left out, for a file may serve other playbooks too.
options: {}
"""

EXAMPLES = """
- name: Stop if a name was misspelt
  ansible.builtin.assert:
    that: query("exotel.voicebot.typed_vars") | difference(["call", "since"]) | length == 0
"""

RETURN = """
_raw:
  description: The names, sorted.
  type: list
  elements: str
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ansible import context
from ansible.errors import AnsibleError
from ansible.parsing.splitter import parse_kv
from ansible.parsing.utils.yaml import from_yaml
from ansible.plugins.lookup import LookupBase


def names(typed: Iterable[str]) -> list[str]:
    """Return the names that the arguments of ``-e`` in ``typed`` set, sorted, without those in files."""
    found: set[str] = set()
    for argument in typed:
        text = argument.strip()
        if text.startswith("@"):
            continue
        said = from_yaml(text) if text.startswith(("{", "[", "/", ".")) else parse_kv(text)
        if isinstance(said, Mapping):
            found |= {str(name) for name in said}
    return sorted(found)


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup of this file, as Ansible finds it."""

    def run(self, terms: list[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return the names; it takes no terms."""
        if terms:
            raise AnsibleError("typed_vars takes no terms")
        return names(str(argument) for argument in context.CLIARGS.get("extra_vars") or ())
