"""Address of the user's own system, and the secret that proves to it that this server asks."""

import logging
import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from exotel_ws.ai.outward import reach
from exotel_ws.ai.outward.client import Destination
from exotel_ws.ai.providers import keys
from exotel_ws.ai.providers.address import leads_to_a_host
from exotel_ws.ai.settings import Ai

log = logging.getLogger("exotel_ws.ai")

USUAL: Final = "webhook"
"""Name of the credential that is sent, if it exists, where ``ai.webhook_credential`` is empty."""
_CURE: Final = 'take it out, and add to the inventory: exotel_ws_ai_keys: {webhook: "…"}. It is sent as Authorization: Bearer …'
_SECRET: Final = re.compile(r"key|token|secret|passw|auth|^sig(nature)?$|^code$", re.IGNORECASE)


def problems(settings: Ai, *, read_keys: bool) -> list[str]:
    """Return the problems of the webhook's settings. Warn of a secret in its address, with the cure."""
    url = settings.webhook_url
    if not url:
        return []
    if not leads_to_a_host(url, ("http", "https")):
        return ["ai.webhook_url: is no address to post to: it is written as https://HOST/PATH"]
    address = reach.literal(url)
    if address and (why := reach.refused(address, allow_loopback=True)):
        return [f"ai.webhook_url: leads to {why}, where nothing is sent: write the address of your own system"]
    parts = urlsplit(url)
    if names := secrets_in_query(url):
        log.warning("🔑 ai.webhook_url: its query has %s, which looks like a secret: %s", ", ".join(names)[:100], _CURE)
    try:
        key = secret(settings, read_keys=read_keys)
    except keys.NoKey as error:
        name = settings.webhook_credential or USUAL
        return [f'ai.webhook_credential: {error}. Add to the inventory: exotel_ws_ai_keys: {{{name}: "…"}}']
    if "@" in parts.netloc:
        text = f"ai.webhook_url: holds a name or a password before the host, which settings are no place for: {_CURE}"
        if key:
            return [f"{text}; both can't be sent"]
        log.warning("🔑 %s", text)
    if key and parts.scheme == "http" and not reach.names_loopback(url):
        log.warning("🔑 ai.webhook_url: its secret goes over the network as everybody on the way can read it: use https")
    return []


def secrets_in_query(url: str) -> list[str]:
    """Return the names in the query of ``url`` that look like those of secrets."""
    return [name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True) if _SECRET.search(name)]


def destination(settings: Ai) -> Destination | None:
    """Return where the webhook is, with its secret; None if there is none. Raises `keys.NoKey`.

    It is reached on loopback only if its address says so itself, not where a name leads there.
    """
    url = settings.webhook_url
    return Destination(url, bearer=secret(settings), allow_loopback=reach.names_loopback(url)) if url else None


def secret(settings: Ai, *, read_keys: bool = True) -> str:
    """Return the secret to send with each question; empty if there is none. Raises `keys.NoKey`."""
    name = settings.webhook_credential
    there = keys.directory()
    if not settings.webhook_url or (not name and not (there and (there / USUAL).exists())) or not (read_keys or there):
        return ""
    return keys.read(name or USUAL).text
