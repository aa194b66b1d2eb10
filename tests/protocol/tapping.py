"""A client of the tap."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Record = dict[str, Any]


class Tap:
    """Connection of ``GET /tap?query`` on an admin socket, open from construction on; every wait is bounded."""

    def __init__(self, admin: Path, query: str = "") -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(admin))
        self.socket.sendall(f"GET /tap?{query} HTTP/1.1\r\nHost: admin\r\n\r\n".encode())
        self._file = self.socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
        self.socket.close()

    def __iter__(self) -> Iterator[Record]:
        """Yield every record to the end of the connection."""
        for line in self._file:
            yield json.loads(line)

    def until(self, wanted: Callable[[Record], bool]) -> list[Record]:
        """Return the records up to the first wanted one."""
        seen = []
        for record in self:
            seen.append(record)
            if wanted(record):
                return seen
        raise AssertionError(f"the tap ended; the last record: {seen[-1:]}")

    def until_closed(self) -> list[Record]:
        return self.until(lambda record: record["type"] == "close")


def texts(records: list[Record], side: str) -> list[str]:
    """Return the texts of this direction."""
    return [record["text"] for record in records if record["type"] == "message" and record["from"] == side]
