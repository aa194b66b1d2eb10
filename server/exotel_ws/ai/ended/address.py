"""Address that ended calls are reported to, and the secret that its requests are signed with."""

import logging
from typing import Final
from urllib.parse import urlsplit

from exotel_ws.ai.outward import reach
from exotel_ws.ai.outward.client import Destination
from exotel_ws.ai.providers import keys
from exotel_ws.ai.providers.address import leads_to_a_host
from exotel_ws.ai.settings import Ai

log = logging.getLogger("exotel_ws.ai")

USUAL: Final = "ended"
"""Name of the credential that is used, if it exists, where ``ai.ended_credential`` is empty."""
_TIMEOUT_S: Final = 10.0


def problems(settings: Ai, *, read_keys: bool) -> list[str]:
    """Return the problems of ``ai.ended_url``. Warn of reports that nobody can check."""
    url = settings.ended_url
    if not url:
        return []
    if not leads_to_a_host(url, ("http", "https")):
        return ["ai.ended_url: is no address to post to: it is written as https://HOST/PATH"]
    address = reach.literal(url)
    if address and (why := reach.refused(address, allow_loopback=True)):
        return [f"ai.ended_url: leads to {why}, where nothing is sent: write the address of your own system"]
    name = settings.ended_credential or USUAL
    cure = f'add to the inventory: exotel_ws_ai_keys: {{{name}: "…"}}'
    if "@" in urlsplit(url).netloc:
        return [f"ai.ended_url: holds a name or a password before the host: take it out, each report is signed: {cure}"]
    try:
        secret = signing(settings, read_keys=read_keys)
    except keys.NoKey as error:
        return [f"ai.ended_credential: {error}; {cure}"]
    if read_keys and not secret:
        log.warning("🔑 ai.ended_url: reports are not signed, so that anybody could make them: %s", cure)
    return []


def destination(settings: Ai) -> Destination | None:
    """Return where ended calls are reported to; None if nowhere. Raises `keys.NoKey`.

    It is reached on loopback only if its address says so itself, not where a name leads there.
    """
    url = settings.ended_url
    if not url:
        return None
    return Destination(
        url, signing=signing(settings), timeout_s=_TIMEOUT_S, allow_loopback=reach.names_loopback(url), status_alone=True
    )


def signing(settings: Ai, *, read_keys: bool = True) -> str:
    """Return the secret that reports are signed with; empty if there is none. Raises `keys.NoKey`."""
    name, there = settings.ended_credential, keys.directory()
    if (not name and not (there and (there / USUAL).exists())) or not (read_keys or there):
        return ""
    return keys.read(name or USUAL).text
