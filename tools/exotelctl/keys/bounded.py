"""Read a small text file, and never more of it than it should have."""

from pathlib import Path


def read(file: Path, most: int) -> str:
    """Return the text of ``file``. Raises OSError, and ValueError if it has over ``most`` bytes or is no UTF-8."""
    with file.open("rb") as opened:
        raw = opened.read(most + 1)
    if len(raw) > most:
        raise ValueError(f"it has more than {most} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ValueError("it is no UTF-8 text") from None
