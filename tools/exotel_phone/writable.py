"""Check the files that options name, before anything is done that would be lost without them."""

from pathlib import Path

from exotel_phone.exits import UsageFault


def require_writable(option: str, file: Path | None, *, replace: bool = True) -> None:
    """Raise UsageFault if ``file`` cannot be written to, or if it exists and is not to be replaced. None is no file."""
    if file is None:
        return
    if not file.parent.is_dir():
        raise UsageFault(f"{option} {file}: no directory {file.parent}")
    if file.is_dir():
        raise UsageFault(f"{option} {file}: is a directory")
    if file.exists() and not replace:
        raise UsageFault(f"{option} {file}: is there already; say --force to replace it")
