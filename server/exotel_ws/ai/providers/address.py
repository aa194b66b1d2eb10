"""Addresses in the settings: what has no host is no address, and would be found out by the first call."""

from collections.abc import Collection
from urllib.parse import urlsplit


def leads_to_a_host(text: str, schemes: Collection[str]) -> bool:
    """Whether ``text`` is an address with one of ``schemes``; an empty one: a host alone will do."""
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and is_one_word(text)
    except ValueError:
        return False


def is_one_word(text: str) -> bool:
    return text.isprintable() and " " not in text
