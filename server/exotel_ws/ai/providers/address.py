"""Check addresses in the settings, so that one without a host is found before the first call."""

from collections.abc import Collection
from urllib.parse import urlsplit


def leads_to_a_host(text: str, schemes: Collection[str]) -> bool:
    """Return True if ``text`` is an address with one of ``schemes``; an empty scheme allows a host alone."""
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and is_one_word(text)
    except ValueError:
        return False


def is_one_word(text: str) -> bool:
    """Return True if ``text`` has no space and no control character in it."""
    return text.isprintable() and " " not in text
