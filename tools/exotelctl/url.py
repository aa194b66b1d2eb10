"""``exotelctl url``: the line to paste into Exotel's Voicebot applet.

wss://voice.example.com?sample-rate=8000
"""

import dataclasses
from collections.abc import Sequence
from typing import Final, Literal
from urllib.parse import quote

from ansible_collections.exotel.voicebot.plugins.module_utils.public_address import doubt
from exotel_phone.exits import Exit, Refusal, UsageFault
from exotel_phone.output import emit_json, say, warn
from exotel_phone.target import SAMPLE_RATES, Target, parse
from exotel_ws.passthru.address import CREDENTIAL, PATH

from exotelctl.edge import config
from exotelctl.host_settings import DEFAULT_PORT, HostSettings, load
from exotelctl.keys.credentials import MAKE_ONE, Key, read
from exotelctl.options import UrlOptions
from exotelctl.systemctl import require_root

Place = Literal["header", "path", "query"]

_UNKNOWN = (
    "The public address of this host is not known: settings.toml has no public_url. Set exotel_ws_public_host in the "
    "inventory and run ansible-playbook deploy.yml -i INVENTORY, or name it here: exotelctl url --host ADDRESS"
)

_CREDENTIAL = (
    "Streams must show a credential here: put USER:TOKEN@ before the host, with one of exotel_ws_credentials; "
    "sudo exotelctl url --with-key prints the whole line"
)
_IN_START = (
    "Exotel takes the query off the URL and sends it in the start message: an edge in front lets such a call in only with "
    "edge_key_in_start: true"
)
_NO_KEY = f"--with-key: streams need no key here. {MAKE_ONE}"
_NO_SECRET = (
    "--passthru --with-key: there is no secret for the Passthru applet here. Add to the inventory "
    'exotel_ws_ai_keys: {passthru: "…"}, of `openssl rand -hex 16`, and run ansible-playbook deploy.yml -i INVENTORY'
)
_STAND_IN: Final = Key("USER:TOKEN")
"""Words to replace by hand."""


def run(options: UrlOptions) -> Exit:
    """Print the URL, and a warning if the address is doubtful. Raises UsageFault, Refusal."""
    if options.rate not in SAMPLE_RATES:
        raise UsageFault(f"--rate {options.rate}: Exotel streams at 8000, 16000 or 24000 Hz")
    if options.with_key:
        require_root("url --with-key")
    known = None if options.host and not options.with_key else load(options.settings)
    if known and known.partial:
        raise Refusal(f"{options.settings} may be read by root only: sudo exotelctl url")
    address = public_address(known, options.host, options.port)
    if address and address.secure and options.host is None and options.port is None:
        address = at_the_edge(address)
    warnings = [_UNKNOWN if address is None else doubt(address.host)]
    if options.passthru:
        return _told(passthru(address, options) if address else None, warnings, json=options.json)
    key = _newest(options, known) if options.with_key else _STAND_IN if options.place else None
    if known and known.asks_credential and key is None:
        warnings.insert(0, _CREDENTIAL)
    if options.place == "query":
        warnings.append(_IN_START)
    line = None
    if address is not None:
        address = address.with_rate(options.rate)
        line = address.url() if key is None else showing(address, key, options.place or "header")
    return _told(line, warnings, json=options.json)


def _told(line: str | None, warnings: Sequence[str | None], *, json: bool) -> Exit:
    """Print the line, and what there is to say of it."""
    warning = "\n".join(filter(None, warnings)) or None
    if json:
        emit_json({"url": line, "warning": warning})
    else:
        if line:
            say(line)
        if warning:
            warn(warning)
    return Exit.PROBLEM if line is None else Exit.OK


def passthru(address: Target, options: UrlOptions) -> str:
    """Return the URL for the Passthru applet, with SECRET in it or the newest secret itself. Raises Refusal."""
    secret = "SECRET"
    if options.with_key:
        secrets = read(options.settings, CREDENTIAL) if (options.settings.parent / "credentials" / CREDENTIAL).exists() else []
        if not secrets:
            raise Refusal(_NO_SECRET)
        secret = secrets[-1].entry
    return f"http{'s' * address.secure}://{address.netloc}{PATH}/{secret}"


def at_the_edge(address: Target) -> Target:
    """Return `address` with the name and the port of this host's edge, if there is one. Raises Refusal.

    A rollback takes the settings back to an earlier name, and leaves the edge, with its certificate, as it is.
    """
    try:
        edge = config.load()
    except config.Unusable as error:
        raise Refusal(str(error)) from None
    return dataclasses.replace(address, host=edge.name.strip("[]"), port=edge.port) if edge else address


def _newest(options: UrlOptions, known: HostSettings | None) -> Key:
    keys = read(options.settings, known.credential) if known and known.asks_credential else []
    if not keys:
        raise Refusal(_NO_KEY)
    return keys[-1]


def showing(address: Target, key: Key, place: Place) -> str:
    """Return the URL that shows `key` in that place, percent-encoded. Raises UsageFault for a key that can't stand there."""
    user, token = quote(key.user, safe=""), quote(key.token, safe="")
    match place:
        case "header":
            if ":" not in key.entry:
                raise UsageFault(f"{key.name} is a token without a user: --place path or --place query")
            scheme, _, rest = address.url().partition("://")
            return f"{scheme}://{user}:{token}@{rest}"
        case "path":
            if "/" in key.token:
                raise UsageFault(f"the token of {key.name} has a slash, which would end a path segment: --place header")
            return dataclasses.replace(address, path=f"{address.path.rstrip('/')}/{token}").url()
        case "query":
            return f"{address.url()}&token={token}"


def public_address(settings: HostSettings | None, host: str | None, port: int | None) -> Target | None:
    """Return where Exotel reaches the server: by the flags, else by ``public_url``; None if neither says it."""
    if host is not None:
        if "/" in host or "@" in host:
            raise UsageFault(f"--host {host}: a name or an address, without scheme and path")
        return Target(False, host.strip("[]"), port or DEFAULT_PORT, "", "")
    if settings is None or not settings.public_url:
        return None
    target = parse(settings.public_url)
    return dataclasses.replace(target, port=port or target.port)
