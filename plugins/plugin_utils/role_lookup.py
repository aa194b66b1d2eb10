"""Read the roles' variables in a lookup, each with its type and its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from .variables import Fault, settled, specs
from .vault_fault import Undecryptable, of_variable


class RoleLookup(LookupBase):  # type: ignore[misc]
    """A lookup whose answer depends on variables of the roles. It takes no terms, unless it has a `run` of its own."""

    def run(self, terms: list[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return the answer. Raises AnsibleError if there are terms."""
        if terms:
            raise AnsibleError(f"{type(self).__module__.rpartition('.')[2]} takes no terms")
        return self.answer(variables or {}, **kwargs)

    def answer(self, variables: Mapping[str, Any], **options: Any) -> list[Any]:
        """Return the list that Ansible gets."""
        raise NotImplementedError

    def value(self, variables: Mapping[str, Any], name: str) -> Any:
        """Return the variable `name`, or its default, as the type of its argument spec.

        Raises AnsibleError with the name and the cure for a value that can't be used.
        """
        try:
            return settled(name, self.raw(variables, name))
        except Fault as fault:
            raise AnsibleError(str(fault)) from None

    def values(self, variables: Mapping[str, Any], *names: str) -> dict[str, Any]:
        """Return the variables `names` by their names, as `value` does."""
        return {name: self.value(variables, name) for name in names}

    def raw(self, variables: Mapping[str, Any], name: str) -> Any:
        """Return the variable `name` as it is written, or its default. Raises Undecryptable if Ansible Vault keeps it closed."""
        try:
            return self._templar.template(variables[name]) if name in variables else specs()[name].get("default")
        except Exception as error:  # a template of the inventory may raise any
            if closed := of_variable(name, error):
                raise Undecryptable(closed) from None
            raise
