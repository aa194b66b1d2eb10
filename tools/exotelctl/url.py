"""``exotelctl url``: the line to paste into Exotel's Voicebot applet.

ws://203.0.113.10:8765?sample-rate=8000
"""

import dataclasses

from ansible_collections.exotel.voicebot.plugins.module_utils.public_address import doubt
from exotel_phone.exits import Exit, Refusal, UsageFault
from exotel_phone.output import emit_json, say, warn
from exotel_phone.target import SAMPLE_RATES, Target, parse

from exotelctl.host_settings import DEFAULT_PORT, HostSettings, load
from exotelctl.options import UrlOptions

_UNKNOWN = (
    "The public address of this host is not known: settings.toml has no public_url. Set exotel_ws_public_host in the "
    "inventory and run ansible-playbook deploy.yml -i INVENTORY, or name it here: exotelctl url --host ADDRESS"
)

_CREDENTIAL = "Streams must show a credential here: put USER:TOKEN@ before the host, with one of exotel_ws_credentials"


def run(options: UrlOptions) -> Exit:
    """Print the URL, and a warning if the address is doubtful. Raises UsageFault, Refusal."""
    if options.rate not in SAMPLE_RATES:
        raise UsageFault(f"--rate {options.rate}: Exotel streams at 8000, 16000 or 24000 Hz")
    known = None if options.host else load(options.settings)
    if known and known.partial:
        raise Refusal(f"{options.settings} may be read by root only: sudo exotelctl url")
    address = public_address(known, options.host, options.port)
    warning = _UNKNOWN if address is None else doubt(address.host)
    if known and known.asks_credential:
        warning = "\n".join(filter(None, (_CREDENTIAL, warning)))
    line = None if address is None else address.with_rate(options.rate).url()
    if options.json:
        emit_json({"url": line, "warning": warning})
    else:
        if line:
            say(line)
        if warning:
            warn(warning)
    return Exit.PROBLEM if line is None else Exit.OK


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
