"""Find for each table of ``ai.tools`` its request and the form of its arguments, or all that is wrong with them."""

import json
import logging
import re
import re._parser as parser  # type: ignore[import-not-found]  # the one that reads a pattern as Python does
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from jsonschema import Draft202012Validator, SchemaError, ValidationError, validators
from jsonschema.exceptions import best_match

from exotel_ws.ai.outward import reach
from exotel_ws.ai.outward.client import Destination
from exotel_ws.ai.outward.signature import SIGNATURE, TIMESTAMP
from exotel_ws.ai.providers import keys
from exotel_ws.ai.providers.address import leads_to_a_host
from exotel_ws.ai.providers.webhook import secrets_in_query
from exotel_ws.ai.scripted.flow import lines
from exotel_ws.ai.settings import Ai, Text, Tool
from exotel_ws.logs import printable

log = logging.getLogger("exotel_ws.ai")

OURS: Final = ("hang_up", "transfer", "webhook", "leave_message")
"""Names of tools that every bot may have."""
MOST_SCHEMA: Final = 16 * 1024
"""Most characters of a schema: the model is sent all of them with each request."""
MOST_ARGUMENTS: Final = 8 * 1024
"""Most characters of the arguments of one call."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
"""Names that every model's provider takes."""
_PROPERTY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,510}[\x21-\x7e])?")
_SET_BY_US: Final = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding", "expect", "te", "upgrade"}
    | {TIMESTAMP.lower(), SIGNATURE.lower()}
)
_SECRET: Final = re.compile(r"key|token|secret|passw|auth|cookie", re.IGNORECASE)
_CREDENTIAL: Final = "{credential}"
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_MOST_MATCHED: Final = 256
"""Most characters of an argument that a pattern is matched with: the time that some take grows with the square, or the cube."""


class PlannedTool(NamedTuple):
    """One tool, as it is offered to each call."""

    name: str
    description: str
    schema: dict[str, Any]
    """JSON schema of its arguments, an object."""
    saying: Text
    destination: Destination
    validator: Any

    def saying_in(self, language: str) -> str:
        """Return what is said meanwhile, as `lines` chooses it."""
        return lines(self.saying, language)[0]

    def fault(self, arguments: dict[str, Any]) -> str:
        """Return what is wrong with ``arguments``, in words for the model; empty if they are as the schema says."""
        try:
            if len(json.dumps(arguments, ensure_ascii=False)) > MOST_ARGUMENTS:
                return f"arguments of more than {MOST_ARGUMENTS} characters"
            found = best_match(self.validator.iter_errors(arguments))
        except RecursionError:
            return "arguments that are nested too deep"
        if found is None:
            return ""
        return printable(f"arguments{''.join(f'.{part}' for part in found.absolute_path)}: {found.message}", 300)


class Plan(NamedTuple):
    """Tools that the settings describe; they can be used if there are no ``problems``.

    ``unread`` names credentials that were not looked for.
    """

    tools: list[PlannedTool]
    problems: list[str]
    unread: list[str]


def plan(settings: Ai, *, read_keys: bool = True, warn: bool = False) -> Plan:
    """Plan the tools of ``settings``. Without ``read_keys``, list credentials as unread. ``warn`` of secrets in settings."""
    made = Plan([], [], [])
    for name, table in settings.tools.items():
        told = f"ai.tools.{printable(name, 64)}"
        credentials = _Credentials(read_keys)
        problems = [*_judged(name, table), *credentials.read("credential", table.credential)]
        problems += credentials.read("signing_credential", table.signing_credential)
        made.problems.extend(f"{told}.{problem}" for problem in problems)
        made.unread.extend(credentials.unread)
        if not problems:
            if warn:
                _warn(told, table)
            schema = _closed(table.parameters)
            destination = _destination(table, credentials.found)
            validator = _Validator(schema)
            made.tools.append(PlannedTool(name, table.description, schema, table.saying, destination, validator))
    return made


class _Credentials:
    """Secrets of one table by the setting that names them."""

    def __init__(self, read_keys: bool) -> None:
        self._read_keys = read_keys or keys.directory() is not None
        self.found: dict[str, str] = {}
        self.unread: list[str] = []

    def read(self, setting: str, credential: str) -> list[str]:
        """Read a secret, if one is named. Return the problem, if there is one."""
        if not credential:
            return []
        if not self._read_keys and not credential.startswith("/"):
            self.unread.append(credential)
            return []
        try:
            self.found[setting] = keys.read(credential).text
        except keys.NoKey as error:
            return [f'{setting}: {error}. Add to the inventory: exotel_ws_ai_keys: {{{printable(credential, 100)}: "…"}}']
        return []


def _judged(name: str, table: Tool) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield "name: a tool's name is up to 64 of A-Z a-z 0-9 _ -, and begins with a letter: rename the table"
    elif name in OURS:
        yield f"name: every bot may have a tool {name} of its own: rename the table"
    yield from _address(table)
    yield from _headers(table)
    yield from (f"parameters: {problem}" for problem in _schema(table.parameters))
    sayings = [table.saying] if isinstance(table.saying, str) else list(table.saying.values())
    by_language = isinstance(table.saying, dict)
    if any(len(text) > 300 for text in sayings) or (by_language and not (sayings and all(map(str.strip, sayings)))):
        yield "saying: a sentence is needed in each language, of at most 300 characters"


def _address(table: Tool) -> Iterator[str]:
    if not leads_to_a_host(table.url, ("http", "https")):
        yield "url: is no address to ask: it is written as https://HOST/PATH"
        return
    if "@" in table.url.partition("://")[2].partition("/")[0]:
        yield "url: holds a name or a password before the host, which settings are no place for: name a credential instead"
    address = reach.literal(table.url)
    if address and (why := reach.refused(address, allow_loopback=True)):
        yield f"url: leads to {why}, where nothing is sent: write the address of your own system"
    elif reach.names_loopback(table.url) and not table.loopback:
        yield "url: leads to this machine's loopback: add loopback = true if the tool is there"


def _headers(table: Tool) -> Iterator[str]:
    for header, value in table.headers.items():
        where = f"headers.{printable(header, 64)}"
        if not _HEADER.fullmatch(header):
            yield f"{where}: is no name of a header"
        elif header.lower() in _SET_BY_US:
            yield f"{where}: the server sets this header itself: take it out"
        elif header.lower() == "authorization" and table.credential and _CREDENTIAL not in value:
            yield f"{where}: is what credential is sent as: take one of both out"
        elif not _HEADER_VALUE.fullmatch(value):
            yield f"{where}: a value is one line of at most 512 printable ASCII characters"
        elif _CREDENTIAL in value and not table.credential:
            yield f"{where}: {_CREDENTIAL} stands for the secret of a credential: add credential"
    if len({header.lower() for header in table.headers}) < len(table.headers):
        yield "headers: names one header twice"


def _schema(schema: dict[str, Any]) -> Iterator[str]:
    try:
        text = json.dumps(schema, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        yield f"are no JSON: {error}"
        return
    if len(text) > MOST_SCHEMA:
        yield f"have more than {MOST_SCHEMA} characters, and the model is sent all of them with each request: say less"
        return
    if "patternProperties" in _every_key(schema):
        yield "patternProperties has no place here, as providers do not know it: name each argument in properties"
        return
    if found := sorted({key for key in _every_key(schema) if key in _REFERENCES}):
        yield f"{found[0]} has no place here, since providers differ in what they make of it: write the part itself"
        return
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = ".".join(map(str, error.absolute_path))
        yield printable(f"{place}{': ' if place else ''}{error.message} (docs/ai.md has an example)", 300)
        return
    if schema.get("type", "object") != "object":
        yield 'are those of an object: type = "object", and each argument in properties'
    for pattern in _patterns(schema):
        if _takes_for_ever(pattern):
            yield printable(
                f'pattern "{pattern}" repeats what repeats itself, which can take for ever to match: write it without', 300
            )
    properties = schema.get("properties", {})
    yield from (
        f"properties.{printable(name, 64)}: is no name of an argument" for name in properties if not _PROPERTY.fullmatch(name)
    )
    yield from (f'required: there is no property "{name}"' for name in schema.get("required", []) if name not in properties)


def _every_key(value: Any) -> Iterator[str]:
    children: Iterable[Any] = ()
    if isinstance(value, dict):
        yield from value
        children = value.values()
    elif isinstance(value, list):
        children = value
    for child in children:
        yield from _every_key(child)


def _patterns(value: Any) -> Iterator[str]:
    children: Iterable[Any] = value if isinstance(value, list) else ()
    if isinstance(value, dict):
        children = value.values()
        if isinstance(pattern := value.get("pattern"), str):
            yield pattern
    for child in children:
        yield from _patterns(child)


def _takes_for_ever(pattern: str) -> bool:
    """Return True if a repetition without a bound is within another: with ``(a+)+`` 30 letters keep Python busy for hours."""

    def repeats(parsed: Any, within: bool) -> bool:
        for operator, argument in parsed:
            loops = operator in (parser.MAX_REPEAT, parser.MIN_REPEAT) and argument[1] is parser.MAXREPEAT
            if (loops and within) or any(repeats(inner, within or loops) for inner in _inner(argument)):
                return True
        return False

    return repeats(parser.parse(pattern), within=False)


def _inner(argument: Any) -> Iterator[Any]:
    """Yield the patterns within an operator's argument."""
    if isinstance(argument, parser.SubPattern):
        yield argument
    elif isinstance(argument, list | tuple):
        for part in argument:
            yield from _inner(part)


def _matches(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if not isinstance(value, str):
        return
    if len(value) > _MOST_MATCHED:
        yield ValidationError(f"more than {_MOST_MATCHED} characters do not match {pattern!r}")
    elif not re.search(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


_Validator: Final = validators.extend(Draft202012Validator, {"pattern": _matches})


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Return ``schema`` as that of an object which has no other properties, unless it says that it may."""
    return {"type": "object", "properties": {}, "additionalProperties": False} | schema


def _destination(table: Tool, secrets: dict[str, str]) -> Destination:
    secret = secrets.get("credential", "")
    in_header = any(_CREDENTIAL in value for value in table.headers.values())
    return Destination(
        table.url,
        method=table.method,
        headers={name: value.replace(_CREDENTIAL, secret) for name, value in table.headers.items()},
        bearer="" if in_header else secret,
        signing=secrets.get("signing_credential", ""),
        timeout_s=table.timeout_s,
        allow_loopback=table.loopback,
    )


def _warn(told: str, table: Tool) -> None:
    """Warn of secrets that settings are no place for, or that everybody on the way can read."""
    cure = f"name a credential, and write {_CREDENTIAL} where it has to stand in a header"
    open_headers = [name for name, value in table.headers.items() if _SECRET.search(name) and _CREDENTIAL not in value]
    for where, names in (("url: its query has", secrets_in_query(table.url)), ("headers:", open_headers)):
        if names:
            log.warning("🔑 %s.%s %s, which looks like a secret: %s", told, where, printable(", ".join(names), 100), cure)
    if table.credential and table.url.startswith("http:") and not reach.names_loopback(table.url):
        log.warning("🔑 %s.url: its secret goes over the network as everybody on the way can read it: use https", told)
