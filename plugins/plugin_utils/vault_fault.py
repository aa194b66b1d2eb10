"""Say which variable or file Ansible Vault keeps closed, and which option opens it. No secret is in it."""

from __future__ import annotations

import re

from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultSecretsContext, is_encrypted

from .key_place import typed

_CURE = "--vault-password-file FILE or --ask-vault-pass"
_ORIGIN = re.compile(r"Origin: (.+?)(?::\d+){1,2}$", re.MULTILINE)


class Undecryptable(AnsibleError):  # type: ignore[misc]
    """Raised for a variable whose value cannot be decrypted. The text has its name, its file and the cure."""


def of_variable(name: str, error: BaseException) -> str:
    """Return why the variable `name` cannot be decrypted, with the cure; empty if `error` has another reason."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Undecryptable):
            return str(cause)
        text = getattr(cause, "obj", None)
        if isinstance(text, str) and is_encrypted(text):
            place = _ORIGIN.search(getattr(cause, "_formatted_source_context", "") or "")
            return of_text(f"{name} is encrypted{f' in {typed(place[1])}' if place else ''}")
        cause = cause.__cause__
    return ""


def of_text(what: str) -> str:
    """Return `what` ("FILE is encrypted") with the reason why it stays so, and the cure."""
    if not VaultSecretsContext.current().secrets:
        return f"{what}, and no vault password was given: add {_CURE} to the command"
    return f"{what}, and no vault password that was given opens it: give the one it was encrypted with, {_CURE}"
