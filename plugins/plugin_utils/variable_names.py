"""Know the names of the variables that may be set for a playbook, and find misspelt ones. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

from ansible.parsing.splitter import parse_kv
from ansible.parsing.utils.yaml import from_yaml

from .variables import specs_by_role

SHARED = (
    "gcp_project",
    "gcp_instance",
    "gcp_zone",
    "gcp_service_account_file",
    "gcp_impersonate_service_account",
    "gcp_api_endpoint",
)
"""Names that several roles take the defaults of their own variables from."""
SHORT: Mapping[str, tuple[str, ...]] = {
    "doctor": ("since",),
    "logs": ("call", "errors", "event", "lines", "numbers", "since", "until"),
    "port_cleanup": ("ports",),
}
"""Short names that a playbook on call takes besides, by its entry point of the role ``oncall``."""

_FACTS = ("preflight_python",)
# provision.yml ends with deploy.yml, where its variables are still set.
_BEFORE = "gcp_vm"
# Variables that an inventory has for other playbooks may be typed for one on call as well.
_OF_OTHERS = re.compile("(ansible|edge|exotel_ws|preflight|verify)_")


def unknown_of_roles(roles: Sequence[str], names: Iterable[str]) -> list[str]:
    """Return a sentence for each of the `names` that has the prefix of one of the `roles` and is no variable of theirs.

    Raises ValueError for a role that does not exist.
    """
    known = {*SHARED, *_FACTS, *_options(_BEFORE), *(name for role in roles for name in _options(role))}
    prefixes = (*roles, *(["gcp"] if any(role.startswith("gcp_") for role in roles) else []))
    checked = [name for name in names if name.startswith(tuple(f"{prefix}_" for prefix in prefixes))]
    return did_you_mean((name for name in checked if name not in known), known)


def unknown_on_call(entry_point: str, names: Iterable[str], typed: Iterable[str]) -> list[str]:
    """Return a sentence for each unknown variable of a playbook on call.

    `names` are all variables, of which those of the role ``oncall`` are checked; `typed` are those of the command line, which
    may be short. Raises ValueError for an entry point without short names.
    """
    if entry_point not in SHORT:
        raise ValueError(f"the role oncall has no entry point {entry_point} with variables: there are {', '.join(SHORT)}")
    known = {*SHORT[entry_point], *SHARED, *_options("oncall")}
    checked = [name for name in typed if not _OF_OTHERS.match(name)] + [name for name in names if name.startswith("oncall_")]
    return did_you_mean((name for name in dict.fromkeys(checked) if name not in known), known)


def did_you_mean(unknown: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return ``unknown variable X``, with a suggestion where a known name is close, for each name in `unknown`."""
    names = sorted(known)
    sentences = []
    for name in unknown:
        close = difflib.get_close_matches(name, names, n=1)
        sentences.append(f"unknown variable {name}" + (f" (did you mean {close[0]}?)" if close else ""))
    return sentences


def typed_names(arguments: Iterable[str]) -> list[str]:
    """Return the names that `arguments` of ``-e`` set, sorted.

    The names of a file, ``-e @FILE``, are left out, because a file may serve other playbooks too.
    """
    found: set[str] = set()
    for argument in arguments:
        text = argument.strip()
        if text.startswith("@"):
            continue
        said = from_yaml(text) if text.startswith(("{", "[", "/", ".")) else parse_kv(text)
        if isinstance(said, Mapping):
            found |= {str(name) for name in said}
    return sorted(found)


def _options(role: str) -> Iterable[str]:
    try:
        return specs_by_role()[role]
    except KeyError:
        raise ValueError(f"there is no role {role}: there are {', '.join(specs_by_role())}") from None
