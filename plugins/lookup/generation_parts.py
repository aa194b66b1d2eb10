"""``generation_parts``: parts of a generation that the variables of the role ``exotel_ws`` ask for, beside its settings."""

from __future__ import annotations

DOCUMENTATION = """
name: generation_parts
author: The exotel-voicebot developers (!UNKNOWN)
version_added: 0.1.0
short_description: Extras, files and secrets of a generation
description:
  - Parts of a generation that its settings do not hold, from the variables of the role C(exotel_ws).
options:
  _terms:
    description:
      - Which part, one of C(extras), the extras of the release; C(secrets), the content of each credential by its name;
        C(sources), the files of AI mode on the controller, each with its C(kind), C(name), C(path) and C(variable);
        C(paths), their paths by their names; C(files), their contents.
    type: list
    elements: str
    required: true
"""

EXAMPLES = """
- name: Show the extras that the release has
  ansible.builtin.debug:
    msg: "{{ lookup('exotel.voicebot.generation_parts', 'extras') }}"
"""

RETURN = """
_raw:
  description: The part, as the only entry.
  type: list
  elements: raw
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError

from ..plugin_utils.generation_parts import VARIABLES, extras, paths, secrets, sources
from ..plugin_utils.role_lookup import RoleLookup

_PARTS = ("extras", "secrets", "sources", "paths", "files")


class LookupModule(RoleLookup):
    """The lookup of this file, as Ansible finds it."""

    def run(self, terms: list[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return the part that `terms` names. Raises AnsibleError for another name, and for a file that can't be read."""
        if len(terms) != 1 or terms[0] not in _PARTS:
            raise AnsibleError(f"generation_parts takes one of {', '.join(_PARTS)}")
        said = variables or {}
        values = self.values(said, *VARIABLES)
        if terms[0] == "extras":
            return [extras(values)]
        if terms[0] == "secrets":
            return [secrets(values)]
        if terms[0] == "sources":
            return [sources(values, said.get("inventory_dir"))]
        found = paths(values, said.get("inventory_dir"))
        if terms[0] == "paths":
            return [found]
        return [{name: self._loader.get_text_file_contents(path) for name, path in found.items()}]
