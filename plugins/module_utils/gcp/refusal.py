"""Read an error of a Google API: its text, and the project, permission and identifier that it names.

An error's body comes from outside and may be anything: Google's JSON, a proxy's page, nothing at all. `Refusal.of_body` takes any
bytes, and each text of a `Refusal` is one printable line of bounded length without tokens.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

BODY_BYTES = 256 * 1024
"""Most bytes read of an error's body."""
_SAID_CHARACTERS = 400
_RAW_CHARACTERS = 8192
_DETAILS = 32

_PROJECT_ID = r"(?:[a-z0-9][-a-z0-9.]{0,60}:)?[a-z][-a-z0-9]{1,61}[a-z0-9]|[0-9]{1,19}"
_REASON = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_SERVICE = re.compile(r"[a-z][-a-z0-9]{0,62}\.googleapis\.com")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{8,128}")
_PERMISSION = re.compile(r"[a-z][A-Za-z0-9]{0,39}\.[a-zA-Z][A-Za-z0-9]{0,59}\.[a-zA-Z][A-Za-z0-9]{0,59}")
_LINK = re.compile(r"https://[a-z0-9.-]{1,100}\.google\.com/[A-Za-z0-9_./?=&%:;#@+~-]{0,300}")
# Requires the end of a name, so that a longer one is not cut to a name that Google did not mean.
_END = r"(?![-a-z0-9:])"
_NAMED_PROJECT = (
    re.compile(rf"\bprojects/({_PROJECT_ID}){_END}"),
    re.compile(rf"\b[Pp]roject\s+(?:number\s+)?['\"#]?({_PROJECT_ID}){_END}['\"]?"),
    re.compile(rf"[?&]project=({_PROJECT_ID}){_END}"),
)
# English words that follow "project" and look like an ID.
_NO_PROJECT = frozenset(("access", "before", "because", "billing", "number", "owners", "quotas", "should", "without"))
_SAID_PERMISSION = (
    re.compile(r"[Rr]equired\s+['\"]([A-Za-z0-9.]{1,160})['\"]\s+permission"),
    re.compile(r"[Pp]ermission\s+['\"]([A-Za-z0-9.]{1,160})['\"]\s+(?:denied|on|is)"),
    re.compile(r"\b([a-z][A-Za-z0-9]{0,39}\.[a-zA-Z]{1,60}\.[a-zA-Z]{1,60})\s+(?:permission|access)\b"),
    re.compile(r"\bpermission\s+([a-z][A-Za-z0-9]{0,39}\.[a-zA-Z]{1,60}\.[a-zA-Z]{1,60})\b"),
)
_SAID_IDENTIFIER = re.compile(r"vpcServiceControlsUniqueIdentifier:?\s+([A-Za-z0-9_-]{8,128})")
_SAID_SERVICE = re.compile(r"/apis?/(?:api|library)/([a-z][-a-z0-9]{0,62}\.googleapis\.com)")
_SAID_TITLE = re.compile(r"^([A-Z][A-Za-z0-9 ()-]{1,60} API) has not been used in project")
_RESOURCE = re.compile(r"'(?:https?://[^']{0,200}/)?(projects/[^']{1,400})'")
_SECRETS = (
    re.compile(r"ya29\.[-\w.]+"),
    re.compile(r"\beyJ[-\w]+(?:\.[-\w]+)*"),
    re.compile(r"(?i)\bbearer\s+\S+"),
    re.compile(r"-----BEGIN [^-]*PRIVATE KEY-----.*?(?:-----END [^-]*-----|$)", re.S),
)


@dataclass(frozen=True)
class Refusal:
    """Content of an error of Google's; texts that it lacks are empty.

    `reason` is the Compute API's word (``forbidden``), `info` that of ``google.rpc.ErrorInfo`` (``SERVICE_DISABLED``); `project`
    (an ID or a number), `service` and `permission` are those that Google means; `identifier` is what VPC Service Controls
    give to find the refusal by; `link` is Google's page about it. `google` is False where it is not an API's answer.
    """

    code: int
    said: str
    reason: str = ""
    info: str = ""
    project: str = ""
    service: str = ""
    title: str = ""
    permission: str = ""
    resource: str = ""
    identifier: str = ""
    link: str = ""
    google: bool = True

    @classmethod
    def of_body(cls, code: int, body: bytes | str) -> Refusal:
        """Read the body of an HTTP answer with the status `code`. Never raises."""
        raw = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
        try:
            loaded = json.loads(raw)
        except (ValueError, RecursionError):
            return cls(code, page(raw), google=False)
        if isinstance(loaded, list):
            loaded = next((item for item in loaded if isinstance(item, dict)), {})
        error = loaded.get("error") if isinstance(loaded, dict) else None
        if not isinstance(error, dict):
            return cls(code, _text(error), google=False)
        return cls.of_parts(code, error.get("message"), error.get("errors"), error.get("details"))

    @classmethod
    def of_parts(cls, code: int, message: object, errors: object = None, details: object = None) -> Refusal:
        """Read the parts of Google's JSON, each of any type. Never raises."""
        first = next((entry for entry in _items(errors) if isinstance(entry, Mapping)), {})
        found = [detail for detail in _items(details)[:_DETAILS] if isinstance(detail, Mapping)]
        about = next((detail for detail in found if _kind(detail) == "ErrorInfo"), {})
        more = about.get("metadata") or about.get("metadatas")
        metadata = more if isinstance(more, Mapping) else {}
        raw = _raw(message)
        return cls(
            code=code,
            said=_text(message),
            reason=_match(_REASON, first.get("reason")),
            info=_match(_REASON, about.get("reason")),
            project=_project(metadata, raw),
            service=_match(_SERVICE, metadata.get("service")) or _search((_SAID_SERVICE,), raw),
            title=_search((_SAID_TITLE,), raw),
            permission=_match(_PERMISSION, metadata.get("permission")) or _match(_PERMISSION, _search(_SAID_PERMISSION, raw)),
            resource=resource_of(raw) or _resource(metadata),
            identifier=_identifier(found, metadata, raw),
            link=_link(found, metadata),
        )


def take(response: Any, **_options: Any) -> None:
    """Read the body of an error, up to BODY_BYTES, as a hook of `requests`; put `Refusal.of_body` at `response.refusal`.

    Google's client then always finds JSON of the form that it knows; it fails on any other.
    """
    if response.status_code < 400:
        return
    try:
        body = response.raw.read(BODY_BYTES, decode_content=True)
    except Exception:  # cut off or wrongly encoded; the status is enough
        body = b""
    if len(body) >= BODY_BYTES:
        response.close()
    refusal = Refusal.of_body(response.status_code, body)
    response.refusal = refusal
    known = {"code": refusal.code, "message": refusal.said, "errors": [{"reason": refusal.reason}] if refusal.reason else []}
    response._content = json.dumps({"error": known}).encode()
    response._content_consumed = True


def resource_of(text: str) -> str:
    """Return the resource that a text names in quotes, as ``projects/p/global/networks/n``, or nothing."""
    return _line(_search((_RESOURCE,), text[:_RAW_CHARACTERS]))


def line(text: str) -> str:
    """Return `text` as one printable line of bounded length, without tokens and keys."""
    said = _line(text[:_RAW_CHARACTERS])
    return said if len(said) <= _SAID_CHARACTERS else said[:_SAID_CHARACTERS] + "…"


def page(text: str) -> str:
    """Return a line about an answer that is not JSON: a page's title, else its text."""
    text = text[:_RAW_CHARACTERS]
    if "<" not in text:
        return line(text) or "an empty answer"
    title = re.search(r"(?is)<title[^>]{0,200}>(.{0,400}?)</title", text)
    return f"a web page: {line(html.unescape(title.group(1)))}" if title and title.group(1).strip() else "a web page"


def _line(text: str) -> str:
    for secret in _SECRETS:
        text = secret.sub("[hidden]", text)
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _raw(message: object) -> str:
    return message[:_RAW_CHARACTERS] if isinstance(message, str) else ""


def _text(message: object) -> str:
    return (line(message) if isinstance(message, str) else "") or "no reason given"


def _items(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _kind(detail: Mapping[str, Any]) -> str:
    kind = detail.get("@type")
    return kind.rpartition("google.rpc.")[2] if isinstance(kind, str) else ""


def _match(pattern: re.Pattern[str], value: object) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""


def _search(patterns: Iterable[re.Pattern[str]], text: str) -> str:
    return next((found.group(1) for pattern in patterns if (found := pattern.search(text))), "")


def _project(metadata: Mapping[str, Any], said: str) -> str:
    """Return the project that Google names: the consumer in its metadata, else the one in its sentence."""
    whole = re.compile(rf"(?:projects/)?({_PROJECT_ID})")
    for key in ("consumer", "containerInfo", "project"):
        value = metadata.get(key)
        found = whole.fullmatch(value) if isinstance(value, str) else None
        if found:
            return found.group(1)
    for pattern in _NAMED_PROJECT:
        for found in pattern.finditer(said):
            name = found.group(1)
            # A word is a name if it has characters that words lack, or stands in quotes, or is long enough for an ID.
            if not name.isalpha() or name + "'" in found.group(0) or (len(name) >= 6 and name not in _NO_PROJECT):
                return name
    return ""


def _resource(metadata: Mapping[str, Any]) -> str:
    """Return the resource of IAM's metadata, which may begin with the service's name."""
    found = re.fullmatch(r"(?://[a-z.-]{1,80}/)?(projects/[-\w./:]{1,400})", str(metadata.get("resource", ""))[:500])
    return found.group(1) if found else ""


def _identifier(details: list[Mapping[str, Any]], metadata: Mapping[str, Any], said: str) -> str:
    """Return the unique identifier of VPC Service Controls."""
    for detail in details:
        for violation in _items(detail.get("violations"))[:_DETAILS]:
            if isinstance(violation, Mapping) and violation.get("type") == "VPC_SERVICE_CONTROLS":
                found = _match(_IDENTIFIER, violation.get("description"))
                if found:
                    return found
    return _match(_IDENTIFIER, metadata.get("uid")) or _search((_SAID_IDENTIFIER,), said)


def _link(details: list[Mapping[str, Any]], metadata: Mapping[str, Any]) -> str:
    links = [metadata.get("activationUrl")]
    for detail in details:
        links += [link.get("url") for link in _items(detail.get("links"))[:_DETAILS] if isinstance(link, Mapping)]
    return next((found for found in (_match(_LINK, link) for link in links) if found), "")
