"""Keep of a URL what may be stored: Exotel sends back the stream's URL with whatever credential it holds."""

import re
from typing import Final
from urllib.parse import urlsplit

_HOST: Final = re.compile(r"[A-Za-z0-9._\-:\[\]]{1,255}")


def address(url: str) -> str:
    """Return scheme, host and port of a stream's URL, as its user, path and query may each hold a key; empty if it is no URL."""
    return _place(url, ("ws", "wss", "http", "https"))


def recording(url: str) -> str:
    """Return the URL of a recording without a user; empty if it is not one of http or https, which a page may link to."""
    place = _place(url, ("http", "https"))
    if not place:
        return ""
    parts = urlsplit(url)
    return f"{place}{parts.path}{'?' if parts.query else ''}{parts.query}"


def _place(url: str, schemes: tuple[str, ...]) -> str:
    try:
        parts = urlsplit(url.strip())
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ""
    return f"{parts.scheme}://{host}" if parts.scheme in schemes and _HOST.fullmatch(host) else ""
