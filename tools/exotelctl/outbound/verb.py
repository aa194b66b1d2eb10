"""``exotelctl dial``: call a number, and connect whoever answers to a bot.

📞 Exotel rings +919876543210: call 8b0de6af53bcfdd29e5cb990936df94r, queued
✅ completed. Its story: exotelctl logs --call 8b0de6af53bcfdd29e5cb990936df94r
"""

import asyncio
import dataclasses
from typing import Final
from urllib.parse import urlencode

from exotel_phone.command import command
from exotel_phone.exits import Exit, Refusal, UsageFault
from exotel_phone.output import emit_json, say, warn
from exotel_phone.target import Target, parse

from exotelctl.consent import agreed
from exotelctl.host_settings import load
from exotelctl.keys.credentials import MAKE_ONE, Key, read
from exotelctl.options import DialOptions
from exotelctl.outbound import account, connect
from exotelctl.outbound.connect import Call, Order, Refused
from exotelctl.url import at_the_edge, public_address, showing

OUTBOUND: Final = ("direction", "outbound")
"""Parameter of the stream by which the server knows that the bot called."""
_REACHED: Final = "completed"
_MOST_PARAMETERS: Final = 3


def run(options: DialOptions) -> Exit:
    """Place the call, given consent, and follow it if asked to. Raises UsageFault, Refusal."""
    known = account.load(options.account)
    order = Order(options.to, stream_url(options), limit_s=options.limit)
    if not options.yes and (options.json or not agreed(f"Call {order.to} from {known.caller_id}? It rings, and costs money.")):
        raise Refusal("nobody was called: say --yes to call")
    try:
        call = asyncio.run(connect.place(known, order))
    except Refused as refused:
        return _refused(options, refused)
    if not options.json:
        say(f"📞 Exotel rings {order.to}: call {call.sid}, {call.status}")
    if options.follow:
        # The call is placed: whatever comes of the questions about it, its sid is told.
        doubts: list[str] = []
        call = asyncio.run(
            connect.follow(known, call, within_s=options.follow, on_refused=lambda refused: doubts.append(str(refused)))
        )
        if doubts and not call.over:
            warn(f"Exotel did not say what became of the call: {doubts[-1]}")
    return _told(options, call)


def stream_url(options: DialOptions) -> str:
    """Return the URL that Exotel connects the call to: the one given, else this host's with its newest key.

    The bot's name and the direction go along as parameters. Raises UsageFault, Refusal.
    """
    if options.stream:
        address = parse(options.stream, options.credential_file)
        key = Key(address.credential) if address.credential else None
    else:
        address, key = _of_this_host(options)
    asked = {**address.parameters, **({"bot": options.bot} if options.bot else {}), **dict([OUTBOUND])}
    if len(asked) > _MOST_PARAMETERS:
        raise UsageFault(f"{', '.join(asked)}: Exotel passes on {_MOST_PARAMETERS} parameters of a stream's URL")
    address = dataclasses.replace(address, query=urlencode(asked))
    return address.url() if key is None else showing(address, key, "header")


def _of_this_host(options: DialOptions) -> tuple[Target, Key | None]:
    settings = load(options.settings)
    if settings.partial:
        raise Refusal(f"{options.settings} may be read by root only: put sudo in front of the command")
    address = public_address(settings, None, None)
    if address is None:
        raise UsageFault("this host's public address is not known: set exotel_ws_public_host and deploy, or give --stream")
    address = at_the_edge(address) if address.secure else address
    if not settings.asks_credential:
        return address, None
    keys = read(options.settings, settings.credential)
    if not keys:
        raise Refusal(f"streams have to show a key here, and there is none. {MAKE_ONE}")
    return address, keys[-1]


def _told(options: DialOptions, call: Call) -> Exit:
    failed = call.over and call.status != _REACHED
    story = command("exotelctl", "logs", "--call", call.sid)
    if options.json:
        emit_json({"call_sid": call.sid, "status": call.status, "over": call.over})
    elif failed:
        say(f"❌ {call.status}: nobody was reached")
    elif call.over:
        say(f"✅ {call.status}. Its story: {story}")
    elif options.follow:
        say(f"⏳ still {call.status} after {options.follow} s. Its story, once it is answered: {story}")
    return Exit.PROBLEM if failed else Exit.OK


def _refused(options: DialOptions, refused: Refused) -> Exit:
    if options.json:
        emit_json({"error": str(refused), "unclear": refused.unclear})
    else:
        say(f"❌ {refused}")
    return Exit.PROBLEM
