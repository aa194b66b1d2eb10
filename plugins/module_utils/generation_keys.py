"""Stream keys of a generation: who may call.

That is a fact of today, no part of a release: Exotel's URL has today's key. So a rollback keeps those that serve.
"""

from __future__ import annotations

from dataclasses import replace

from . import toml
from .generation import Content
from .paths import SHARED_CREDENTIALS


def _credential(content: Content) -> str:
    """Return the name of the credential that has the keys; "" if streams need none."""
    settings = toml.plain(content.settings)
    return str(settings.get("auth.credential", "stream-credentials")) if settings.get("auth.required") is True else ""


def keys(content: Content) -> str:
    """Return the keys, ``user:token`` a line; "" if streams need none."""
    return content.credentials.get(_credential(content), "")


def back_to(target: Content, serving: Content) -> Content:
    """Return what a rollback from `serving` to `target` serves: `target` with the keys of `serving`, if both ask for keys."""
    today = keys(serving)
    return _with_keys(target, today) if today else target


def same_but_keys(one: Content, other: Content) -> bool:
    """Return True if both are the same, or would be with the same keys."""
    return without_keys(one) == without_keys(other)


def without_keys(content: Content) -> Content:
    """Return `content` as it is whatever its keys."""
    return _with_keys(content, "")


def _with_keys(content: Content, text: str) -> Content:
    name = _credential(content)
    if not name:
        return content
    # Before each generation had secrets of its own, its unit loaded those that all shared.
    shared, own = f"{name}:{SHARED_CREDENTIALS}/{name}", f"{name}:/etc/exotel-ws/instances/%i/credentials/{name}"
    units = {unit: lines.replace(shared, own) for unit, lines in content.units.items()}
    return replace(content, units=units, credentials=dict(sorted({**content.credentials, name: text}.items())))
