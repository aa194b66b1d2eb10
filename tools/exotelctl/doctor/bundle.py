"""One look at a host in a file: facts that can be judged again anywhere, and texts for people beside them.

Nothing secret goes into it: the settings are redacted by what their keys mean, and what is secret in them, in those of
earlier generations and in the credentials is looked for in every other text.

What is read back may have been made by anybody: it is never unpacked, bounded in size, and every value's type is checked.
"""

import base64
import contextlib
import dataclasses
import io
import itertools
import json
import os
import re
import stat
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ansible_collections.exotel.voicebot.plugins.module_utils import redaction
from exotel_phone.exits import Refusal, UsageFault
from exotel_phone.text import printable

from exotelctl import journal
from exotelctl.doctor import codec
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.mask import masked_text

FORMAT: Final = 1
_FACTS: Final = "facts.json"
_MOST_BYTES: Final = 32 << 20
_MOST_MEMBERS: Final = 200
_LATEST: Final = 1e11
_JOURNAL_LINES: Final = 500
_SETTINGS: Final = "settings.toml"
_TEXTS: Final = (
    f"etc/exotel-ws/current/{_SETTINGS}",
    "etc/exotel-ws/current/generation.json",
    "etc/systemd/system/exotel-ws.socket",
    "etc/systemd/system/exotel-ws@.service",
    "etc/systemd/system/exotel-ws-shutdown.service",
)
_OF_EDGE: Final = ("etc/exotel-edge/edge.json", "etc/exotel-edge/haproxy.cfg", "etc/systemd/system/haproxy.service.d/*.conf")
_OWN_PATH: Final = re.compile(r"(?m)^(\s*acl own_path path ).*")
"""Line of haproxy.cfg with a path, which may be a secret, in HAProxy's spelling."""
_DROP_INS: Final = "etc/systemd/system/exotel-ws*.d/*.conf"


def secrets_of_key_list(text: str) -> list[str]:
    """Return the keys of a list of the edge, a line each, as they may appear in other texts: in base64, and decoded."""
    found = set(map(str.strip, text.splitlines()))
    for line in tuple(found):
        with contextlib.suppress(ValueError):
            found.update(redaction.secrets_of_credentials(base64.b64decode(line + "==").decode()))
    return redaction.spellings(found)


_SECRETS: Final = {
    f"etc/exotel-ws/generations/*/{_SETTINGS}": redaction.secrets_of_toml,
    "etc/exotel-ws/credentials/*": redaction.secrets_of_credentials,
    "etc/exotel-ws/generations/*/credentials/*": redaction.secrets_of_credentials,
    "etc/exotel-edge/keys/*.lst": secrets_of_key_list,
}
"""By pattern of files: how to find the secrets in such a file."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Document:
    format: int
    facts: Facts


def require_new(path: Path) -> None:
    """Raise UsageFault if ``path`` exists or can't be made: an older bundle is somebody's evidence."""
    if path.exists() or path.is_symlink():
        raise UsageFault(f"--bundle {path}: it is there already, and is not overwritten; name another file")
    if not path.parent.is_dir():
        raise UsageFault(f"--bundle {path}: no directory {path.parent}")


def write(path: Path, facts: Facts, root: Path = Path("/")) -> None:
    """Save ``facts`` and texts below ``root`` in ``path``, for its owner only. Raises UsageFault where it can't be written."""
    secrets = _secrets(root)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
            _add(tar, _FACTS, _json(_Document(FORMAT, _redacted(facts)), secrets))
            for name, text in _texts(root):
                shown = redaction.redacted_toml(text) if name.endswith(_SETTINGS) else _OWN_PATH.sub(r"\1•••", text)
                _add(tar, name, masked_text(redaction.without(shown, secrets)).encode())
    except OSError as error:
        raise UsageFault(f"--bundle {path}: {error.strerror}") from None


def _secrets(root: Path) -> list[str]:
    """Return the secrets of this host that this user may read, longest first."""
    found: set[str] = set()
    for pattern, secrets_of in _SECRETS.items():
        for path in root.glob(pattern):
            with contextlib.suppress(OSError):
                found.update(secrets_of(path.read_text(errors="replace")))
    return redaction.spellings(found)


def _redacted(facts: Facts) -> Facts:
    known = facts.deployment.value
    if known is None:
        return facts
    url, paths = redaction.redacted_url(known.public_url), tuple(map(redaction.redacted_path, known.paths))
    hidden = dataclasses.replace(known, public_url=url, paths=paths)
    return dataclasses.replace(facts, deployment=dataclasses.replace(facts.deployment, value=hidden))


def _json(document: _Document, secrets: list[str]) -> bytes:
    """Return ``document`` as JSON, with ``secrets`` taken out of every text except keys."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [walk(item) for item in value]
        return redaction.without(value, secrets) if isinstance(value, str) else value

    return json.dumps(walk(dataclasses.asdict(document)), ensure_ascii=False).encode(errors="replace")


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(data), 0o600, int(time.time())
    tar.addfile(member, io.BytesIO(data))


def _texts(root: Path) -> Iterator[tuple[str, str]]:
    there = sorted(str(path.relative_to(root)) for pattern in (_DROP_INS, *_OF_EDGE) for path in root.glob(pattern))
    for name in (*_TEXTS, *there):
        try:
            yield f"files/{name}", (root / name).read_text(errors="replace")
        except OSError as error:
            yield f"files/{name}.missing", f"{error.strerror}\n"
    try:
        entries = list(journal.read(lines=_JOURNAL_LINES))
        entries += journal.read(units=(), matches=[journal.OF_EDGE], lines=_JOURNAL_LINES)
    except Refusal as refused:
        yield "journal.missing", f"{refused}\n"
        return
    entries.sort(key=lambda entry: entry.time)
    lines = (
        f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(entry.time))}Z {entry.unit} {entry.message}\n" for entry in entries
    )
    yield "journal.txt", "".join(lines)


def read(path: Path) -> Facts:
    """Return the facts in a bundle. Raises UsageFault if it is none, Refusal where it is one that must not or can't be judged."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for without end
            raise UsageFault(f"--replay {path}: not a bundle of exotelctl doctor, nor any file")
        if status.st_size > _MOST_BYTES:
            raise Refusal(f"{path} has more than {_MOST_BYTES >> 20} MiB: no bundle of this tool is that large")
        raw = _facts_of(path)
    except OSError as error:
        raise UsageFault(f"--replay {path}: {error.strerror}") from None
    except (tarfile.TarError, ValueError, RecursionError) as error:  # the library lets the latter two through on odd headers
        raise UsageFault(f"--replay {path}: not a bundle of exotelctl doctor ({printable(str(error))})") from None
    try:
        document = codec.load(raw)
        written = document.get("format") if isinstance(document, dict) else None
        if written != FORMAT:
            raise Refusal(
                f"{path} has format {printable(repr(written), 40)}, this exotelctl reads {FORMAT}: use the release that wrote it"
            )
        facts = codec.build(_Document, document).facts
    except codec.Unfit as unfit:
        raise Refusal(f"{path}: its facts are not what this exotelctl writes: {printable(str(unfit))}") from None
    if not 0 <= facts.collected_at < _LATEST:
        raise Refusal(f"{path}: it says that it was made at {facts.collected_at:g} s, which is no time")
    return facts


def _facts_of(path: Path) -> bytes:
    """Return the bytes of facts.json, read in place. ``r:`` takes no compressed file, so nothing grows while it is read."""
    with tarfile.open(path, mode="r:") as tar:
        for member in itertools.islice(tar, _MOST_MEMBERS):
            if member.name == _FACTS and member.isreg():
                found = tar.extractfile(member)
                assert found is not None
                return found.read(_MOST_BYTES)
    raise UsageFault(f"--replay {path}: not a bundle of exotelctl doctor: it has no {_FACTS}")
