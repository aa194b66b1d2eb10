"""Check the roles' variables, and convert values from an inventory or ``-e`` to the type of each. Pure."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).parents[2] / "roles"
LEAST_TOKEN = 6
"""Least characters of a token, as the server's own auth.least_length."""

_TRUE = frozenset({"yes", "on", "true", "1"})
_FALSE = frozenset({"no", "off", "false", "0"})
_PASSTHRU = re.compile(r"[A-Za-z0-9._~-]{16,256}")
"""Secret of the path of Exotel's Passthru applet, as the server takes it."""
_MOST_CHARACTERS = 100
_MOST_DOMAINS = 100
_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")

_PORTS = (1, 65535)
RANGES: dict[str, tuple[int, int]] = {
    "exotel_ws_port": _PORTS,
    "exotel_ws_workers": (1, 64),
    "exotel_ws_max_calls": (1, 100_000),
    "exotel_ws_keep_releases": (1, 100),
    "exotel_ws_drain_timeout": (1, 86_400),
    "exotel_ws_shutdown_grace": (1, 3600),
    "exotel_ws_memory_mb": (0, 1_000_000),
    "exotel_ws_journal_mb": (16, 100_000),
    "edge_port": _PORTS,
    "edge_http_port": _PORTS,
    "edge_max_connections": (10, 100_000),
    "edge_known_connections": (1, 100_000),
    "edge_stranger_connections": (1, 10_000),
    "edge_strangers_per_second": (1, 10_000),
    "edge_bad_keys": (1, 1000),
    "edge_bad_keys_minutes": (1, 1440),
    "gcp_firewall_priority": (0, 65535),
    "gcp_firewall_timeout": (1, 3600),
    "oncall_ports": _PORTS,
    "oncall_logs_lines": (0, 1_000_000),
    "preflight_free_mb": (0, 1_000_000),
    "preflight_clock_skew_s": (0, 86_400),
    "reset_drain_s": (0, 86_400),
    "reset_ports": _PORTS,
    "verify_call_seconds": (1, 600),
}
# Lists that may be typed as A,B because no entry can hold a comma.
_SPLIT = frozenset(
    {
        "edge_domain",
        "edge_known_sources",
        "exotel_ws_accept",
        "exotel_ws_allowed_sources",
        "exotel_ws_extras",
        "exotel_ws_metrics_sources",
        "exotel_ws_proxies",
        "exotel_ws_ai_networks",
        "gcp_firewall_extra_ports",
        "gcp_firewall_source_ranges",
        "gcp_firewall_target_tags",
        "gcp_vm_tags",
        "oncall_doctor_sources",
        "oncall_logs_event",
        "oncall_ports",
        "reset_ports",
    }
)
# An unset environment variable gives an empty text, which would let everybody in.
_NEVER_AN_EMPTY_TEXT = frozenset({"exotel_ws_credentials", "exotel_ws_allowed_sources"})


class Fault(ValueError):
    """Invalid value of a variable. The text says what is wrong and what to do, and never contains a secret."""


@cache
def specs() -> dict[str, dict[str, Any]]:
    """Return the options of every entry point of every role by their name, from the roles' argument specs."""
    return {name: option for options in specs_by_role().values() for name, option in options.items()}


@cache
def specs_by_role() -> dict[str, dict[str, dict[str, Any]]]:
    """Return the options of `specs` by role."""
    return {
        file.parents[1].name: {
            name: option
            for entry_point in yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"].values()
            for name, option in entry_point.get("options", {}).items()
        }
        for file in sorted(ROLES.glob("*/meta/argument_specs.yml"))
    }


def settled(name: str, value: object) -> Any:
    """Return `value` converted to the type of the variable `name`, if that is safe. Raises `Fault` with name and cure.

    A number or a boolean may be a text ("8765", "yes"), a list one entry or a text of JSON, a mapping a text of JSON.
    """
    spec = specs()[name]
    try:
        return _checked(name, spec, _CONVERTERS[spec["type"]](name, spec, value))
    except Fault as fault:
        raise Fault(f"{name}{'' if spec.get('no_log') else _shown(value)}: {fault}") from None


def faults(values: Mapping[str, object]) -> list[str]:
    """Return a sentence for each of these variables with an invalid value; skip names that are not the roles'."""
    found = []
    for name in sorted(values.keys() & specs().keys()):
        try:
            settled(name, values[name])
        except Fault as fault:
            found.append(str(fault))
    return found


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    text = "".join(character if character.isprintable() else "�" for character in text)
    return f" is {text[:_MOST_CHARACTERS]}{'…' if len(text) > _MOST_CHARACTERS else ''}"


def _nothing(value: object) -> None:
    if value is None:
        raise Fault("it has no value (null): give it one, or delete its line to get the default")


def _text(name: str, spec: Mapping[str, Any], value: object) -> str:
    _nothing(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Fault("it must be a text" + (": put it in quotes" if isinstance(value, bool) else ""))
    text = str(value).rstrip("\r\n")  # a file or `echo` ends with a newline
    if not text.isprintable():
        raise Fault("it must be one line without control characters")
    return text


def _whole_number(name: str, spec: Mapping[str, Any], value: object) -> int:
    _nothing(value)
    low, high = RANGES.get(name, (None, None))
    wanted = "it must be a whole number" + (f" from {low} to {high}" if high is not None else "")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Fault(wanted)
    if low is not None and high is not None and not low <= value <= high:
        raise Fault(wanted)
    return value


def _boolean(name: str, spec: Mapping[str, Any], value: object) -> bool:
    _nothing(value)
    if isinstance(value, str | int) and (word := str(value).strip().lower()) in _TRUE | _FALSE:
        return word in _TRUE
    raise Fault("it must be true or false")


def _list(name: str, spec: Mapping[str, Any], value: object) -> list[Any]:
    _nothing(value)
    if isinstance(value, str):
        value = _entries_of_text(name, value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        value = [value]
    elif isinstance(value, list | tuple) and name in _SPLIT:
        value = [part for entry in value for part in (_split(entry) if isinstance(entry, str) else [entry])]
    if not isinstance(value, list | tuple):
        raise Fault("it must be a list")
    convert = _CONVERTERS[spec.get("elements", "str")]
    entries = []
    for number, entry in enumerate(value, 1):
        try:
            entries.append(convert(name, {}, entry))
        except Fault as fault:
            raise Fault(f"entry {number}: {fault}") from None
    return entries


def _entries_of_text(name: str, text: str) -> list[Any]:
    if not text.strip():
        if name in _NEVER_AN_EMPTY_TEXT:
            raise Fault("it is an empty text: is what it comes from not set? Name who may call, or write [] if that is meant")
        return []
    if text.lstrip().startswith("["):
        try:
            parsed = json.loads(text)
        except ValueError:
            raise Fault("it is a text that begins like a list, but is no JSON: write it as a list of YAML") from None
        if isinstance(parsed, list):
            return parsed
    return _split(text) if name in _SPLIT else [text]


def _split(text: str) -> list[str]:
    return [part for part in (piece.strip() for piece in text.split(",")) if part]


def _mapping(name: str, spec: Mapping[str, Any], value: object) -> dict[str, Any]:
    _nothing(value)
    if isinstance(value, str) and not value.strip():
        return {}
    if isinstance(value, str):
        try:
            value = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError):
            raise Fault("it must be a mapping, such as {log: {level: debug}}; typed with -e it is written as JSON") from None
    if not isinstance(value, Mapping):
        raise Fault("it must be a mapping, such as {log: {level: debug}}")
    if not all(isinstance(key, str) for key in value):
        raise Fault("its keys must be texts")
    return dict(value)


_CONVERTERS: dict[str, Callable[[str, Mapping[str, Any], object], Any]] = {
    "bool": _boolean,
    "dict": _mapping,
    "int": _whole_number,
    "list": _list,
    "path": _text,
    "str": _text,
}


def _checked(name: str, spec: Mapping[str, Any], value: Any) -> Any:
    if "choices" in spec and any(one not in spec["choices"] for one in (value if isinstance(value, list) else [value])):
        raise Fault(f"it must be one of {', '.join(map(str, spec['choices']))}")
    return _FORMS[name](value) if name in _FORMS else value


def _listening(host: str) -> str:
    return str(_address(host.strip(), "it must be an address to listen on, such as 0.0.0.0, or :: for IPv4 and IPv6"))


def _reachable(host: str) -> str:
    """Accept a name or an address, alone: it becomes a part of a URL."""
    host = host.strip()
    if re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})", host) or not host:
        return host
    return str(_address(host, "it must be a name or an address alone, without ws://, port or path; the port is exotel_ws_port"))


def _domains(domains: list[str]) -> list[str]:
    """Accept names and addresses that a certificate can be for and that become a part of a URL."""
    named = []
    for number, domain in enumerate(domains, 1):
        wanted = (
            f"entry {number}: it must be a name or an address alone, such as voice.example.com, without wss://, port, path or *"
        )
        name = domain.strip().rstrip(".").lower()
        if not _DOMAIN.fullmatch(name) or re.fullmatch(r"[0-9.]+", name):
            name = str(_address(name, wanted))
        named.append(name)
    if len(named) > _MOST_DOMAINS:
        raise Fault(f"it has {len(named)} entries, and a certificate is for {_MOST_DOMAINS} names at most")
    return _once(named)


def _known_sources(sources: list[str]) -> list[str]:
    for number, source in enumerate(_sources(sources), 1):
        if source.endswith("/0"):
            raise Fault(f"entry {number}: it is every address, so that nobody would be limited: name those of Exotel")
    return sources


def _directory(url: str) -> str:
    if not re.fullmatch(r"https://[^\s/@?#]+(/[!-~]*)?", url):
        raise Fault("it must be the https:// URL of an ACME directory, such as https://acme-v02.api.letsencrypt.org/directory")
    return url


def _email(address: str) -> str:
    if address and not re.fullmatch(r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,253}", address):
        raise Fault("it must be an e-mail address, such as ops@example.com, or empty")
    return address


def _address(text: str, wanted: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        raise Fault(wanted) from None


def _paths(paths: list[str]) -> list[str]:
    for number, path in enumerate(paths, 1):
        if not re.fullmatch(r"/[!-~]*", path) or re.search(r"[?#]", path):
            raise Fault(f"entry {number}: a path begins with a slash and has no blank, ? or #, such as /media")
    return _once(paths)


def _sources(sources: list[str]) -> list[str]:
    for number, source in enumerate(sources, 1):
        try:
            ipaddress.ip_network(source, strict=False)
        except ValueError:
            raise Fault(f"entry {number}: it must be an address or a range, such as 203.0.113.0/24") from None
    return sources


def _port_ranges(ports: list[str]) -> list[str]:
    for number, port in enumerate(ports, 1):
        ends = port.split("-")
        if len(ends) > 2 or not all(re.fullmatch(r"[0-9]{1,5}", end) and _PORTS[0] <= int(end) <= _PORTS[1] for end in ends):
            raise Fault(f"entry {number}: it must be a port or a range of ports, such as 8009 or 9000-9010")
    return ports


def _credentials(credentials: list[str]) -> list[str]:
    """Accept ``user:token`` entries that the server tells apart and that fit into the applet's URL. No fault shows one."""
    for number, credential in enumerate(credentials, 1):
        user, colon, token = credential.partition(":")
        if not re.fullmatch(r"[!-~]*", credential):
            raise Fault(
                f"entry {number}: a blank, a line break or a letter with an accent is in it; write user:token, one an entry"
            )
        if not (user and colon and token) or ":" in token:
            raise Fault(f"entry {number}: it must be user:token, with one colon")
        if user.startswith("#"):
            raise Fault(f"entry {number}: a user that begins with # would be taken for a comment")
    if short := short_token(credentials, LEAST_TOKEN):
        raise Fault(short)
    tokens = [credential.partition(":")[2] for credential in credentials]
    if len(set(tokens)) < len(tokens):
        raise Fault("two entries have the same token: give each caller its own, or name it once")
    return credentials


def short_token(credentials: list[str], least: int) -> str:
    """Return a sentence about the first credential with a token below `least` characters; empty if there is none."""
    for number, credential in enumerate(credentials, 1):
        if len(credential.partition(":")[2]) < least:
            return f"entry {number}: its token has fewer than {least} characters; make one: openssl rand -hex 16"
    return ""


def _keys(keys: dict[str, Any]) -> dict[str, str]:
    """Accept keys of providers: a name that systemd takes for a credential, and one line of text."""
    for name, key in keys.items():
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,80}", name) or name == "stream-credentials":
            raise Fault(
                f"it has {name[:_MOST_CHARACTERS]!r}: a credential is named in small letters, digits, dots and dashes, "
                "such as deepgram-api-key"
            )
        if not isinstance(key, str) or not key.strip():
            raise Fault(f"{name} must be a text that is not empty" + ("" if isinstance(key, str) else ": put it in quotes"))
    if any(not _PASSTHRU.fullmatch(secret) for secret in keys.get("passthru", "").split()):
        raise Fault("passthru is part of a URL: 16 to 256 letters, digits and -._~; make one: openssl rand -hex 16")
    return keys


_ACCOUNT = {
    "sid": r"[A-Za-z0-9_-]{1,64}",
    "api_key": r"[!-~]{1,256}",
    "api_token": r"[!-~]{1,256}",
    "caller_id": r"\+?[0-9]{6,15}",
    "api": r"https://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?",
}
"""Fields of an account as exotelctl takes them; all but the last are needed."""


def _account(account: dict[str, Any]) -> dict[str, str]:
    """Accept an account of Exotel, or none. No fault shows a value."""
    if account and (lacking := [name for name in _ACCOUNT if name != "api" and name not in account]):
        raise Fault(f"it lacks {', '.join(lacking)}: sid, api_key and api_token are in Exotel's API settings")
    for name, value in account.items():
        if name not in _ACCOUNT:
            raise Fault(f"it has {name[:_MOST_CHARACTERS]!r}, and an account has {', '.join(_ACCOUNT)}")
        if not isinstance(value, str):
            raise Fault(f"{name} must be a text: put it in quotes")
        if not re.fullmatch(_ACCOUNT[name], value):
            raise Fault(f"{name} does not look like one: it is matched by {_ACCOUNT[name]}")
    return account


def _once(entries: list[str]) -> list[str]:
    return list(dict.fromkeys(entries))


def _extras(extras: list[str]) -> list[str]:
    for number, extra in enumerate(extras, 1):
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", extra):
            raise Fault(f"entry {number}: it must be an extra of pyproject.toml, such as deepgram")
    return _once(extras)


_FORMS: dict[str, Callable[[Any], Any]] = {
    "edge_acme_directory": _directory,
    "edge_acme_email": _email,
    "edge_domain": _domains,
    "edge_known_sources": _known_sources,
    "exotel_ws_account": _account,
    "exotel_ws_ai_keys": _keys,
    "exotel_ws_allowed_sources": _sources,
    "exotel_ws_credentials": _credentials,
    "exotel_ws_extras": _extras,
    "exotel_ws_host": _listening,
    "exotel_ws_metrics_sources": _sources,
    "exotel_ws_paths": _paths,
    "exotel_ws_proxies": _sources,
    "exotel_ws_ai_networks": _sources,
    "exotel_ws_public_host": _reachable,
    "gcp_firewall_extra_ports": _port_ranges,
    "gcp_firewall_source_ranges": _sources,
    "oncall_doctor_sources": _sources,
    "verify_host": _reachable,
}
