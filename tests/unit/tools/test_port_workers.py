"""The tool asks a worker for little, and accepts its answer only within bounds."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exotelctl.port import workers
from exotelctl.port.facts import Worker


@contextmanager
def worker(folder: Path, *bodies: bytes) -> Iterator[list[bytes]]:
    """Serve an admin socket that answers each request with the next body; yield the requests."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "g-1.sock"))
        listener.listen()

        def serve() -> None:
            for body in bodies:
                connection, _ = listener.accept()
                with connection:
                    asked.append(connection.recv(1000).split(b" ")[1])
                    try:
                        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + body)
                    except OSError:
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join(5)


def ask(folder: Path) -> Worker | None:
    return workers.ask("exotel-ws@g-1.service", folder)


def test_the_small_answer_is_enough(tmp_path: Path) -> None:
    with worker(tmp_path, b'{"status":"ok","pid":7,"state":"draining","calls_live":3}') as asked:
        assert ask(tmp_path) == Worker(7, True, 3)
    assert asked == [b"/health"]


def test_an_older_release_is_asked_for_more(tmp_path: Path) -> None:
    with worker(tmp_path, b'{"status":"ok"}', b'{"pid":7,"state":"serving","calls_live":3}') as asked:
        assert ask(tmp_path) == Worker(7, False, 3)
    assert asked == [b"/health", b"/status"]


def test_an_answer_without_end_is_not_read_to_it(tmp_path: Path) -> None:
    with worker(tmp_path, b" " * (3 << 20)):
        assert ask(tmp_path) is None


def test_nonsense_is_no_answer(tmp_path: Path) -> None:
    with worker(tmp_path, b"[]"):
        assert ask(tmp_path) is None
