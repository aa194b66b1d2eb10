"""Read a text file that the settings name. It has to be a regular and small file: a device or a pipe would never end."""

import stat
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 1024 * 1024


class NoText(Exception):
    """The text can't be read; the message says why, without the name of the file."""


def read(path: Path) -> str:
    """Return the text of a regular file in UTF-8. Raises `NoText`."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise NoText("can't be read: it is no regular file")
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise NoText(f"can't be read: {error.strerror}") from None
    except ValueError:
        raise NoText("can't be read: it is no name of a file") from None
    if len(raw) > MOST_BYTES:
        raise NoText(f"can't be used: it has more than {MOST_BYTES} bytes")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoText(f"not UTF-8: {error}") from None
