"""Describe what a new content changes for callers, before anything is touched. Pure: two contents in, sentences out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import redaction, toml
from .generation import Content
from .generation_keys import keys
from .maintenance import Maintenance
from .plan import Refused

CONSENTS = ("maintenance", "port", "credentials", "paths")
"""Changes that need consent: they end a maintenance, move the address that callers dial, or admit refused clients."""
_EVERYWHERE = {"0.0.0.0": "every IPv4 address of the host", "::": "every address of the host"}
_MOST_NAMED = 5


@dataclass(frozen=True)
class Consequence:
    """One change for callers, as a sentence; `consent` is the word that agrees to it, "" if it needs none."""

    text: str
    consent: str = ""


def consequences(before: Content | None, after: Content) -> tuple[Consequence, ...]:
    """Return the changes for callers when `after` replaces `before`; none on a host where nothing serves."""
    if before is None:
        return ()
    old, new = toml.plain(before.settings), toml.plain(after.settings)
    return (*_address(before, after, old, new), *_credentials(before, after, old, new), *_paths(old, new), *_others(old, new))


def moves_behind_the_edge(before: Content, after: Content) -> bool:
    """Return True if both take calls from an edge, but on different ports, which nobody else dials."""
    (old_host, old_port), (new_host, new_port) = _split(before.listen), _split(after.listen)
    by_tls = all(_by_tls(toml.plain(content.settings)) for content in (before, after))
    return by_tls and old_host == new_host and old_port != new_port


def of_maintenance(mark: Maintenance | None) -> tuple[Consequence, ...]:
    """Return the consequence that a host in maintenance takes calls again; none for a host in service."""
    return (Consequence(f"the host is {mark}; it takes calls again", "maintenance"),) if mark else ()


def of_returning_keys(before: Content | None, target: Content) -> tuple[Consequence, ...]:
    """Return the consequence of a rollback to `target` that its own stream keys come back, as they do if `before` has none."""
    returning = len(_entries(target))
    if before is None or keys(before) or not returning:
        return ()
    came = "the stream key of that generation comes" if returning == 1 else f"the {returning} stream keys of that generation come"
    return (Consequence(f"{came} back: one that was retired since is good again"),)


def missing(found: Iterable[Consequence], accepted: Collection[str]) -> list[str]:
    """Return the consents that `found` needs and `accepted` lacks."""
    needed = {one.consent for one in found}
    return [name for name in CONSENTS if name in needed and name not in accepted]


def require_consent(found: Sequence[Consequence], accepted: Collection[str]) -> None:
    """Raise Refused, with the changes and the line to type, unless each change that needs consent has it."""
    unknown = sorted(set(accepted) - set(CONSENTS))
    if unknown:
        raise Refused(f"there is no consent {unknown[0]!r}: exotel_ws_accept takes {', '.join(CONSENTS)}")
    lacking = missing(found, accepted)
    if lacking:
        lines = "\n".join(f"- {one.text}" for one in found)
        every = ",".join(name for name in CONSENTS if name in {*accepted, *lacking})
        told = f"For callers this changes:\n{lines}\nNothing was changed."
        raise Refused(f"{told} If it is meant: -e exotel_ws_accept={every}")


def _address(before: Content, after: Content, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Consequence]:
    (old_host, old_port), (new_host, new_port) = _split(before.listen), _split(after.listen)
    if moves_behind_the_edge(before, after):
        yield Consequence(f"the server moves from {old_port} to {new_port} behind the edge, which follows")
    elif old_port != new_port:
        told = f"the port moves from {old_port} to {new_port}: calls to {old_port} are refused, the applet has to dial {new_port}"
        yield Consequence(told, "port")
    if old_host != new_host:
        told = f"calls are taken on {_place(new_host)} instead of {_place(old_host)}"
        narrower = "" if new_host in _EVERYWHERE else ": calls to any other address are refused"
        if _by_tls(new) and not _by_tls(old):
            told = f"calls come by wss:// through the edge: calls by ws:// to {old_port} are refused, the applet has to dial"
            narrower = f" {redaction.redacted_url(str(new['public_url']))}"
        elif _by_tls(old) and not _by_tls(new):
            narrower = f": calls by wss:// are refused, the applet has to dial ws:// and {new_port}"
        yield Consequence(told + narrower, "port")


def _by_tls(settings: dict[str, Any]) -> bool:
    return str(settings.get("public_url", "")).startswith("wss://")


def _credentials(before: Content, after: Content, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Consequence]:
    was, will = old.get("auth.required") is True, new.get("auth.required") is True
    if was and not will:
        yield Consequence("streams need no credential any more: whoever reaches the port can open one", "credentials")
    elif will and not was:
        yield Consequence("streams without a credential are refused: the applet's URL has to hold one")
    elif will:
        dropped = len(set(_entries(before)) - set(_entries(after)))
        if dropped:
            whose = "credential is" if dropped == 1 else "credentials are"
            yield Consequence(f"{dropped} {whose} dropped: calls that show one of those are refused")


def _paths(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Consequence]:
    was, will = _list(old, "paths"), _list(new, "paths")
    if was and not will:
        yield Consequence(f"every path is served, not only {_named(was)}", "paths")
    elif will and not was:
        yield Consequence(f"only {_named(will)} is served: calls to any other path are refused")
    elif dropped := [path for path in was if path not in will]:
        yield Consequence(f"{_named(dropped)} is served no more: calls to it are refused")


def _others(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Consequence]:
    was, will = old.get("mode", "echo"), new.get("mode", "echo")
    if was != will:
        means = "callers hear themselves instead of the bot" if will == "echo" else "callers talk to the bot"
        yield Consequence(f"the mode changes from {was} to {will}: {means}")
    if new.get("open_metrics") is True and old.get("open_metrics") is not True:
        yield Consequence("/metrics and /ready answer everybody who reaches the port")


def _list(settings: dict[str, Any], name: str) -> list[str]:
    value = settings.get(name)
    return [str(item) for item in value] if isinstance(value, list) else []


def _entries(content: Content) -> list[str]:
    return [line.strip() for line in keys(content).splitlines() if line.strip()]


def _split(listen: str) -> tuple[str, str]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), port


def _place(host: str) -> str:
    return _EVERYWHERE.get(host, host)


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    # A path may hold a secret.
    return ", ".join(redaction.redacted_path(name) for name in names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
