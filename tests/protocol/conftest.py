"""Servers for the tests: one with default settings an engine, shared by all tests, and others as a test asks for them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server.legal_phases import legal_phases

from .process import ServerProcess

__all__ = ["legal_phases"]

StartServer = Callable[..., ServerProcess]


@pytest.fixture(scope="session", params=["picows", "websockets"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def session_server(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., ServerProcess]]:
    """Yield a function that starts a server for as long as the session's engine; for module-scoped fixtures."""
    with ExitStack() as stack:

        def start(settings: dict[str, Any] | None = None, *arguments: str, **options: Any) -> ServerProcess:
            server = ServerProcess(tmp_path_factory.mktemp(engine), {"engine": engine} | (settings or {}), *arguments, **options)
            stack.callback(server.kill)
            return server.start()

        yield start


@pytest.fixture(scope="session")
def server(session_server: StartServer) -> ServerProcess:
    """Yield a shared server with default settings: a test tells its streams apart by a stream_sid of its own."""
    return session_server()


@pytest.fixture
def start_server(engine: str, tmp_path: Path) -> Iterator[StartServer]:
    """Yield a function that starts a server for this test; it is killed at the test's end if it still lives."""
    with ExitStack() as stack:
        count = 0

        def start(settings: dict[str, Any] | None = None, *arguments: str, **options: Any) -> ServerProcess:
            nonlocal count
            count += 1
            server = ServerProcess(tmp_path / f"server-{count}", {"engine": engine} | (settings or {}), *arguments, **options)
            stack.callback(server.kill)
            return server.start()

        yield start
