"""Start the processes of a load, stop them, and receive their news until the last one is done."""

import multiprocessing
import multiprocessing.connection
import signal
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from time import monotonic
from typing import Self

from exotel_phone.load import worker
from exotel_phone.load.plan import Plan
from exotel_phone.load.worker import News
from exotel_phone.signals import handled

_START_TIMEOUT_S = 30.0
_LEAD_S = 0.1
_END_TIMEOUT_S = 5.0


class WorkerFailed(Exception):
    """Raised if a process of the load ended before its calls had; the text says how."""


class Fleet:
    """The processes that carry out one plan; as a context it ends them.

    Ctrl-C and SIGTERM do not reach them: the caller says `stop`.
    """

    def __init__(self, plan: Plan) -> None:
        context = multiprocessing.get_context("spawn")
        self._processes: dict[Connection, SpawnProcess] = {}
        with handled(signal.SIG_IGN, signal.SIGINT):  # inherited, so that none dies of Ctrl-C while it starts
            for number in range(plan.processes):
                here, there = context.Pipe()
                name = f"process {number} of the load"
                process = context.Process(target=worker.work, args=(plan, number, there), name=name, daemon=True)
                process.start()
                there.close()
                self._processes[here] = process

    def __enter__(self) -> Self:
        return self

    def begin(self) -> None:
        """Wait until all are ready and let them begin at the same moment. Raises WorkerFailed."""
        deadline = monotonic() + _START_TIMEOUT_S
        for connection, process in self._processes.items():
            if not connection.poll(max(0.0, deadline - monotonic())):
                raise WorkerFailed(f"{process.name} did not start within {_START_TIMEOUT_S:g} s")
            self._receive(connection)
        self._send(monotonic() + _LEAD_S)

    def news(self, every_s: float) -> Iterator[list[News]]:
        """Yield the processes' news, an empty list after ``every_s`` without any, until all are done.

        Raises WorkerFailed.
        """
        talking = set(self._processes)
        while talking:
            heard: list[News] = []
            for connection in multiprocessing.connection.wait(talking, every_s):
                assert isinstance(connection, Connection)
                told = self._receive(connection)
                if isinstance(told, News):
                    heard.append(told)
                else:
                    talking.remove(connection)
            yield heard

    def stop(self) -> None:
        """Hang up every call now; the news go on until the last has ended."""
        self._send(worker.STOP)

    def kill(self) -> None:
        """End the processes, whatever their calls do."""
        for process in self._processes.values():
            process.kill()

    def __exit__(self, *_: object) -> None:
        """End every process and wait for it."""
        for connection in self._processes:
            connection.close()
        for process in self._processes.values():
            process.join(_END_TIMEOUT_S)
            if process.is_alive():
                process.kill()
                process.join(_END_TIMEOUT_S)

    def _send(self, what: object) -> None:
        for connection in self._processes:
            with suppress(OSError):  # it is done already
                connection.send(what)

    def _receive(self, connection: Connection) -> object:
        try:
            return connection.recv()
        except (EOFError, OSError):
            process = self._processes[connection]
            process.join(_END_TIMEOUT_S)
            raise WorkerFailed(f"{process.name} ended with {process.exitcode}") from None
