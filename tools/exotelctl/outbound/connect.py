"""Ask Exotel to call a number and to connect its audio to a bot: ``POST …/Calls/connect`` with ``StreamUrl``.

Parameters and answers are those of Exotel's developer guide to AgentStream and of its Voice v1 API. An answer may be XML or JSON,
with names in either case.
"""

import asyncio
import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from exotel_phone.exits import UsageFault
from exotel_phone.http_request import Answer, request
from exotel_phone.reach import Unreachable
from exotel_phone.text import printable

from exotelctl.outbound.account import Account

ASK_S: Final = 15.0
"""Seconds that the API has for an answer."""
MOST_S: Final = 14_400
"""Longest call in seconds that Exotel allows: four hours."""
MOST_STREAM_URL: Final = 600
MOST_CUSTOM_FIELD: Final = 128
"""Most characters of these parameters that Exotel takes."""
ENDED: Final = frozenset(("completed", "failed", "busy", "no-answer", "canceled", "cancelled"))
"""Statuses after which nothing more happens to a call."""
_NOT_ASKED: Final = ("refused", "dns", "unreachable", "tls")
"""Kinds of faults of a connection over which no request went."""
_NUMBER: Final = re.compile(r"\+?[0-9]{6,15}")
_SID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CURES: Final = {
    400: "Look at the number and at caller_id; Exotel's words are above",
    401: "Compare sid, api_key and api_token with the dashboard's API settings, and api with the account's region",
    402: "The account has no balance left",
    403: "The account may not call this number (a trial account only verified ones), or not by this caller_id",
    404: "Compare sid with the dashboard, and api with the account's region",
    429: "Too many calls are asked for: wait, then ask again",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """Call to place: ``to`` is rung, and its audio goes to ``stream_url`` once it is answered.

    ``limit_s`` is the longest call in seconds. ``custom_field`` comes back in Exotel's callbacks, which go to
    ``status_callback``. No repr shows the URL, which may hold a key. Raises UsageFault for what Exotel would refuse.
    """

    to: str
    stream_url: str = dataclasses.field(repr=False)
    limit_s: int = 600
    custom_field: str = ""
    status_callback: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "to", re.sub(r"[ ().-]", "", self.to))
        if not _NUMBER.fullmatch(self.to):
            raise UsageFault(f"{printable(self.to, 40)} is no number: write it with its country, +919876543210, or 09876543210")
        if not self.stream_url.startswith(("ws://", "wss://")):
            raise UsageFault("a stream's URL begins with wss:// (or ws://)")
        if len(self.stream_url) > MOST_STREAM_URL:
            raise UsageFault(f"the stream's URL has {len(self.stream_url)} characters, and Exotel takes {MOST_STREAM_URL}")
        if len(self.custom_field) > MOST_CUSTOM_FIELD:
            raise UsageFault(f"a custom field has at most {MOST_CUSTOM_FIELD} characters")
        if not 1 <= self.limit_s <= MOST_S:
            raise UsageFault(f"a call lasts 1 to {MOST_S} s, not {self.limit_s}")

    def form(self, account: Account) -> dict[str, str]:
        """Return the parameters of the request."""
        told = {
            "From": self.to,
            "CallerId": account.caller_id,
            "StreamUrl": self.stream_url,
            "StreamType": "bidirectional",
            "TimeLimit": str(self.limit_s),
            "CustomField": self.custom_field,
            "StatusCallback": self.status_callback,
            "StatusCallbackEvents[0]": "terminal" if self.status_callback else "",
        }
        return {name: value for name, value in told.items() if value}


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """Call as Exotel tells of it: its ``sid``, and its ``status`` in lower case (queued, in-progress, completed, busy …)."""

    sid: str
    status: str

    @property
    def over(self) -> bool:
        """Return True if nothing more happens to it."""
        return self.status in ENDED


class Refused(Exception):
    """Exotel placed no call, or its answer cannot be used; the text says why, and what to do.

    ``unclear``: the call may have been placed all the same.
    """

    def __init__(self, text: str, *, unclear: bool = False) -> None:
        super().__init__(text)
        self.unclear = unclear


async def place(account: Account, order: Order) -> Call:
    """Place a call, with one request: Exotel would ring twice for two. Raises Refused."""
    path = f"/v1/Accounts/{quote(account.sid)}/Calls/connect"
    try:
        answer = await _ask(account, "POST", path, urlencode(order.form(account)).encode())
    except Unreachable as error:
        unclear = not error.fault.kind.startswith(_NOT_ASKED)
        advice = " It may ring all the same: look at the dashboard before another try." if unclear else ""
        raise Refused(f"{error.fault.cause}.{advice}", unclear=unclear) from None
    return _call(answer)


async def look(account: Account, sid: str) -> Call:
    """Return what has become of a call. Raises Refused."""
    path = f"/v1/Accounts/{quote(account.sid)}/Calls/{quote(sid, safe='')}"
    try:
        return _call(await _ask(account, "GET", path))
    except Unreachable as error:
        raise Refused(f"{error.fault.cause}.") from None


async def _ask(account: Account, method: str, path: str, body: bytes = b"") -> Answer:
    target = account.target()
    headers = {**target.headers, "Accept": "application/json, application/xml;q=0.5"}
    if body:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    return await request(target, method, path, body, timeout_s=ASK_S, headers=headers)


def _call(answer: Answer) -> Call:
    """Read an answer. Raises Refused for an error, and for anything that names no call."""
    told = _fields(answer.body)
    if not 200 <= answer.status < 300:
        raise Refused(_refusal(answer, told), unclear=answer.status >= 500)
    sid, status = str(told.get("sid") or ""), str(told.get("status") or "").lower()
    if not _SID.fullmatch(sid):
        begins = printable(answer.body.strip(), 80) or "nothing"
        text = f"{answer.url} answered {answer.status} and names no call: {begins}. Is api the address of Exotel's API?"
        raise Refused(text, unclear=True)
    return Call(sid, printable(status, 40) or "queued")


def _refusal(answer: Answer, told: Mapping[str, Any]) -> str:
    said = printable(str(told.get("message") or ""), 200)
    text = f"Exotel answered {answer.status}{f': {said}' if said else ''}."
    wait = answer.headers.get("retry-after", "")
    if answer.status == 429 and wait.isdecimal() and len(wait) < 6:
        return f"{text} Too many calls are asked for: ask again in {wait} s."
    cure = _CURES.get(
        answer.status, "A fault of theirs: look at the dashboard before another try" if answer.status >= 500 else ""
    )
    return f"{text} {cure}." if cure else text


def _fields(body: str) -> dict[str, Any]:
    """Return the fields of the call, or of the error, that JSON or XML tells of, names in lower case; none of anything else."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return _of_xml(body)
    while isinstance(told, dict):
        found = {str(name).lower(): value for name, value in told.items()}
        inner = next((found[name] for name in ("call", "restexception") if isinstance(found.get(name), dict)), None)
        if inner is None:
            return found
        told = inner
    return {}


def _of_xml(body: str) -> dict[str, Any]:
    if "<!" in body.replace("<!--", ""):  # neither entities nor doctypes: an API has none
        return {}
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError):
        return {}
    inner = next((each for each in root.iter() if each.tag.lower() in ("call", "restexception")), root)
    return {each.tag.lower(): each.text for each in inner}


async def follow(
    account: Account, call: Call, *, within_s: float, on_refused: Callable[[Refused], None], every_s: float = 3.0
) -> Call:
    """Ask about a call until it is over, at most ``within_s`` seconds; return it as it was told last.

    An answer that does not come changes nothing about the call: ``on_refused`` is told, and the next is asked for.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + within_s
    while not call.over and clock() + every_s < until:
        await asyncio.sleep(every_s)
        try:
            call = await look(account, call.sid)
        except Refused as refused:
            on_refused(refused)
    return call
