"""Address of the system that is asked who calls, and the secret by which it knows that this server asks."""

import logging
from urllib.parse import urlsplit

from exotel_ws.ai.outward import reach
from exotel_ws.ai.outward.client import Destination
from exotel_ws.ai.providers import keys
from exotel_ws.ai.providers.address import leads_to_a_host
from exotel_ws.ai.providers.webhook import secrets_in_query
from exotel_ws.ai.settings import Ai

log = logging.getLogger("exotel_ws.ai")


def problems(settings: Ai, *, read_keys: bool) -> tuple[list[str], list[str]]:
    """Return the problems of ``ai.start_url``, and the credential that was not looked for. Warn of a secret in the address."""
    url, credential = settings.start_url, settings.start_credential
    if not url:
        return (["ai.start_credential: signs the requests to ai.start_url: add it"] if credential else []), []
    if not leads_to_a_host(url, ("http", "https")):
        return ["ai.start_url: is no address to post to: it is written as https://HOST/PATH"], []
    address = reach.literal(url)
    if address and (why := reach.refused(address, allow_loopback=True)):
        return [f"ai.start_url: leads to {why}, where nothing is sent: write the address of your own system"], []
    if "@" in urlsplit(url).netloc or secrets_in_query(url):
        log.warning(
            "🔑 ai.start_url: holds what looks like a secret, which settings are no place for: check the signature instead"
        )
    if not credential:
        return [], []
    if not read_keys and not credential.startswith("/"):
        return [], [credential]
    try:
        keys.read(credential)
    except keys.NoKey as error:
        return [f'ai.start_credential: {error}. Add to the inventory: exotel_ws_ai_keys: {{{credential}: "…"}}'], []
    return [], []


def destination(settings: Ai) -> Destination | None:
    """Return where to ask who calls; None if nobody is asked. Raises `keys.NoKey`.

    Loopback is reached only if the address says so itself, not where a name leads there.
    """
    url, credential = settings.start_url, settings.start_credential
    if not url:
        return None
    signing = keys.read(credential).text if credential else ""
    return Destination(url, signing=signing, timeout_s=settings.start_s, allow_loopback=reach.names_loopback(url))
