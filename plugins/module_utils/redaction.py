"""Find the secrets in the server's settings, and keep them out of logs, diffs and bundles.

Secrets are: the userinfo, query and fragment of a URL, each segment of its path (and of `paths`) that is no common word,
values of keys such as api_key, token or headers, and values in the `options` of a service that look like a key. A webhook's
address is often its whole secret, so only its host is shown.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

HIDDEN = "•••"
# Shorter texts would match by chance.
_LEAST_SOUGHT = 4
_SECRET_KEY = re.compile(
    r"token|api[-_]?key|secret|passw|pwd|authorization|header|cookie|signature|private|bearer|^key$|^auth$", re.I
)
_INNOCENT_OPTION = re.compile(r"model|voice|language|encoding|format|region|version", re.IGNORECASE)
_LOOKS_SECRET = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w+/=.:-]{16,}")
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][\w+.-]*://)(?:(?P<user>[^/?#\s]*)@)?(?P<host>[^/?#@\s]*)(?P<path>[^?#\s]*)(?P<rest>[^\s]*)"
)
_DISTINCT = re.compile(r"\d.*[A-Za-z]|[A-Za-z].*\d|.{12}|[^\w.-]")
_COMMON = frozenset(
    {"api", "app", "audio", "bot", "call", "calls", "chat", "completions", "echo", "events", "exotel", "exotel-ws", "health"}
    | {"hook", "hooks", "in", "llm", "media", "openai", "out", "phone", "proxy", "services", "speech", "stream", "streams"}
    | {"stt", "tts", "v1", "v2", "v3", "v4", "voice", "voicebot", "webhook", "webhooks", "ws", "wss"}
)
_LINE = re.compile(r"(?P<key>[A-Za-z0-9_-]+|\"(?:[^\"\\]|\\.)*\") = (?P<value>.*)")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'")


def redacted(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of `settings` with HIDDEN in place of each secret."""
    return {key: _shown((key,), value, set()) for key, value in settings.items()}


def secrets_in(settings: Mapping[str, Any]) -> list[str]:
    """Return the secrets of `settings` as they may appear in other texts, the longest first."""
    found: set[str] = set()
    for key, value in settings.items():
        _shown((key,), value, found)
    return spellings(found)


def secrets_of_credentials(text: str) -> list[str]:
    """Return the secrets of a credentials file (`user:token` lines, or a key) as they may appear in other texts."""
    found: set[str] = set()
    for line in filter(None, map(str.strip, text.splitlines())):
        token = line.partition(":")[2] or line
        found |= {line, token, base64.b64encode(line.encode()).decode().rstrip("=")}
    return spellings(found)


def spellings(secrets: Iterable[str]) -> list[str]:
    """Return `secrets` plain, percent-encoded, percent-decoded and in JSON, longest first, without too short ones."""
    found: set[str] = set()
    for secret in secrets:
        found |= {secret, quote(secret, safe=""), quote(secret), unquote(secret), json.dumps(secret)[1:-1]}
    return sorted((text for text in found if len(text) >= _LEAST_SOUGHT and text != HIDDEN), key=lambda text: (-len(text), text))


def without(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with HIDDEN for each of `secrets`, which must be in the order of spellings()."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def redacted_url(url: str) -> str:
    """Return `url` with its scheme, its host and the common words of its path; HIDDEN stands for the rest."""
    return _without_url_parts(url, set())


def redacted_path(path: str) -> str:
    """Return a URL's path with HIDDEN for each segment that is no common word."""
    return _without_segments(path, set())


def redacted_toml(text: str) -> str:
    """Return settings.toml with HIDDEN for secrets. A line in a form that this project does not write loses its texts."""
    return "".join(_lines(text, set()))


def secrets_of_toml(text: str) -> list[str]:
    """Return the secrets of a settings.toml, valid or not, as secrets_in() does."""
    found: set[str] = set()
    list(_lines(text, found))
    return spellings(found)


def _lines(text: str, found: set[str]) -> Iterator[str]:
    table: tuple[str, ...] = ()
    for line in text.splitlines(keepends=True):
        body, end = line.rstrip("\r\n"), line[len(line.rstrip("\r\n")) :]
        if not body or body.startswith("#"):
            yield line
            continue
        if body.startswith("["):
            table = tuple(part.strip('"') for part in body.strip("[] ").split("."))
            yield line
            continue
        parts = _LINE.fullmatch(body)
        try:
            value = json.loads(parts["value"]) if parts else None
        except ValueError:
            parts = None
        if parts is None:
            found.update(quoted[1:-1] for quoted in _QUOTED.findall(body))
            yield _QUOTED.sub(f'"{HIDDEN}"', body) + end
            continue
        shown = _shown((*table, parts["key"].strip('"')), value, found)
        changed = f"{parts['key']} = {json.dumps(shown, ensure_ascii=False)}"
        yield (body if shown == value else changed) + end


def _shown(path: tuple[str, ...], value: Any, found: set[str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _shown((*path, str(key)), item, found) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(path, item, found) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    secret = any(_SECRET_KEY.search(key) for key in path if key != "auth" or "options" in path)
    if not isinstance(value, str):
        return HIDDEN if secret and "options" in path else value
    if not value or path[-1] == "credential":
        return value
    if secret:
        found.add(value)
        return HIDDEN
    if path[-1] == "paths":
        return _without_segments(value, found)
    if _URL.search(value):
        return _without_url_parts(value, found)
    if "options" in path and _LOOKS_SECRET.fullmatch(value) and not _INNOCENT_OPTION.search(path[-1]):
        found.add(value)
        return HIDDEN
    return value


def _without_url_parts(text: str, found: set[str]) -> str:
    def shown(url: re.Match[str]) -> str:
        user = url["user"]
        if user:
            found.update({user, user.partition(":")[2] or user})
        for part in re.split(r"[?#&]", url["rest"] or ""):
            found.add(part.partition("=")[2] or part)
        rest = f"?{HIDDEN}" if url["rest"] else ""
        return f"{url['scheme']}{HIDDEN + '@' if user else ''}{url['host']}{_without_segments(url['path'], found)}{rest}"

    return _URL.sub(shown, text)


def _without_segments(path: str, found: set[str]) -> str:
    segments = path.split("/")
    # A plain word has other meanings elsewhere, so it is sought only as a part of a path.
    found.update(part if _DISTINCT.search(part) else f"/{part}" for part in segments if part and part.lower() not in _COMMON)
    return "/".join(segment if not segment or segment.lower() in _COMMON else HIDDEN for segment in segments)
