"""Read the keys of providers. They come from systemd's credentials or files that the settings name."""

import json
import logging
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from exotel_ws.ai import text_file

log = logging.getLogger("exotel_ws.ai")

_read: dict[str, str] = {}
"""Each key that was read, with the name of its credential; `redact` replaces one by the other."""


class NoKey(Exception):
    """A key can't be read; the message says why."""


class Key(NamedTuple):
    """A credential: its name, and its text, which no representation shows."""

    name: str
    text: str

    def __repr__(self) -> str:
        return f"Key({self.name!r})"


def directory() -> Path | None:
    """Return the directory of systemd's credentials; None if systemd did not start this process."""
    there = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(there) if there else None


def read(credential: str) -> Key:
    """Return the key in a file of `directory`, or in the file of an absolute path. Raises `NoKey`."""
    path = Path(credential)
    if not path.is_absolute():
        there = directory()
        if there is None:
            raise NoKey(f"there is no $CREDENTIALS_DIRECTORY. On a bench set it to a directory with a file {credential}")
        path = there / credential
    elif path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        log.warning("🔑 Others may read %s: chmod 600 %s", path, path)
    try:
        text = text_file.read(path).strip()
    except text_file.NoText as error:
        raise NoKey(f"{path}: {error}") from None
    if not text:
        raise NoKey(f"{path}: empty")
    for secret in _secrets(path, text):
        _read[secret] = credential
    return Key(credential, text)


def _secrets(path: Path, text: str) -> list[str]:
    if text.startswith("{"):
        try:
            return [text, *(value for name, value in json.loads(text).items() if name.startswith("private_key"))]
        except ValueError:
            raise NoKey(f"{path}: neither a key nor a JSON file of Google's") from None
    if re.search(r"[\x00-\x20\x7f]", text):
        raise NoKey(f"{path}: a key is one word, or a JSON file of Google's")
    return [text]


def redact(text: str) -> str:
    """Return ``text`` with each key that was read replaced by its name: a provider may send one back in an error."""
    for key in sorted(_read, key=len, reverse=True):  # one may be the beginning of another
        text = text.replace(key, f"[{_read[key]}]")
    return text


def forget_environment(providers: Iterable[str]) -> None:
    """Remove the variables of the providers' SDKs from the environment: an SDK would use a key or an address there unseen."""
    prefixes = tuple(f"{provider.upper()}_" for provider in providers)
    for name in list(os.environ):
        theirs = name.startswith(prefixes) or re.search(r"_API_KEY$|_ACCESS_KEY(_ID)?$|_AUTH_TOKEN$", name)
        if theirs and not name.endswith("_CA_BUNDLE"):
            del os.environ[name]
            log.warning("🔑 %s of the environment is ignored: keys come from credentials, the rest from the settings", name)
