"""Write a capture file: under another name until it is whole, readable by its owner only."""

import os
import tempfile
from pathlib import Path
from typing import Self

from exotel_phone.exits import Refusal, UsageFault
from exotel_phone.text import printable


class CaptureFile:
    """A file that gets its name ``path`` by `keep`. Raises Refusal if ``path`` exists and ``force`` is not set.

    As a context it removes the file if the block raises.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        self.path = path
        self._force = force
        if not force and path.exists():
            raise Refusal(f"{self.name} exists: name another file, or say --force")
        try:
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
        except OSError as error:
            raise UsageFault(f"{self.name} can't be written: {error.strerror}") from None
        self._temporary = Path(name)
        self._file = open(descriptor, "wb", buffering=0)  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(self, raised: type[BaseException] | None, *_: object) -> None:
        if raised is not None:
            self.discard()

    @property
    def name(self) -> str:
        """Return the path, fit for a terminal."""
        return printable(str(self.path))

    def write(self, data: bytes) -> None:
        """Append ``data``. Raises OSError, also if the disk is full in the middle of it."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def keep(self) -> None:
        """Give the file its name. Raises Refusal if the name was taken meanwhile; the recording stays under the temporary one."""
        self._file.close()
        if self._force:
            self._temporary.replace(self.path)
            return
        try:
            os.link(self._temporary, self.path)
        except FileExistsError:
            raise Refusal(f"{self.name} was made by somebody else meanwhile; the recording is in {self._temporary}") from None
        self._temporary.unlink()

    def discard(self) -> None:
        """Remove the temporary file."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)
