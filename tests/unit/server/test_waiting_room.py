"""Sockets waiting for their handshake: a few at a time, one source after the other. Time is virtual."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from exotel_ws.admission.bounds import Admission, Ticket
from exotel_ws.engines.acceptor import Acceptor
from exotel_ws.engines.waiting_room import AT_A_TIME, EACH_S, WaitingRoom
from exotel_ws.metrics.tally import Tally
from exotel_ws.settings import Limits


class Timers:
    """Loop with timers alone: `tick` runs those that are due."""

    def __init__(self) -> None:
        self.due: list[Callable[[], Any]] = []

    def call_later(self, delay_s: float, callback: Callable[[], Any]) -> object:
        assert delay_s == EACH_S
        self.due.append(callback)
        return object()

    def tick(self) -> None:
        due, self.due = self.due, []
        for callback in due:
            callback()


class Rig:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.timers = Timers()
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: self.timers)
        self.admission = Admission(Limits(), Tally())
        self.connected: list[str] = []
        self.clients: list[socket.socket] = []
        self.room = WaitingRoom(lambda _socket, ticket: self.connected.append(ticket.source.name))

    def arrive(self, host: str, count: int = 1) -> list[Ticket]:
        tickets = []
        for _ in range(count):
            ticket = self.admission.accept(host, lambda: None)
            assert isinstance(ticket, Ticket)
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            self.clients.append(theirs)
            self.room.add(ours, ticket)
            tickets.append(ticket)
        return tickets


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def test_one_is_connected_at_once(rig: Rig) -> None:
    rig.arrive("192.0.2.1")
    assert rig.connected == ["192.0.2.1"]
    rig.timers.tick()
    assert rig.timers.due == []


def test_of_many_a_few_are_connected_at_a_time(rig: Rig) -> None:
    rig.arrive("192.0.2.1", 200)
    counts = [len(rig.connected)]
    while rig.timers.due:
        rig.timers.tick()
        counts.append(len(rig.connected))
    assert counts[-1] == 200
    assert max(after - before for before, after in pairwise(counts)) == AT_A_TIME


def test_a_second_source_does_not_wait_behind_the_first(rig: Rig) -> None:
    rig.arrive("192.0.2.1", 500)
    rig.arrive("192.0.2.2", 2)
    rig.timers.tick()
    rig.timers.tick()
    assert rig.connected.count("192.0.2.2") == 2
    assert len(rig.connected) == 3 * AT_A_TIME


def test_who_lost_its_place_meanwhile_takes_no_turn(rig: Rig) -> None:
    waiting = rig.arrive("192.0.2.1", 20)
    for ticket in waiting[AT_A_TIME:-1]:
        ticket.close()
    rig.timers.tick()
    assert len(rig.connected) == AT_A_TIME + 1


def test_who_has_left_takes_no_turn_either(rig: Rig) -> None:
    waiting = rig.arrive("192.0.2.1", 20)
    for client in rig.clients[AT_A_TIME:-1]:
        client.close()
    rig.timers.tick()
    assert len(rig.connected) == AT_A_TIME + 1
    assert [ticket.closed for ticket in waiting] == [False] * AT_A_TIME + [True] * (19 - AT_A_TIME) + [False]


def test_all_are_connected_when_the_server_accepts_no_more(rig: Rig) -> None:
    rig.arrive("192.0.2.1", 50)
    rig.room.empty()
    assert len(rig.connected) == 50


def test_a_waiting_socket_that_loses_its_place_is_closed_at_once() -> None:
    """A waiting socket that loses its place is closed at once: its file is free before its turn comes."""

    async def connect(_socket: socket.socket, _ticket: Ticket) -> None:
        return None

    async def story() -> None:
        admission = Admission(Limits(unproven_per_source=AT_A_TIME + 1), Tally())
        with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
            acceptor = Acceptor(listener, admission, connect)
            acceptor.start()
            for _ in range(2 * AT_A_TIME + 2):
                stack.enter_context(socket.create_connection(listener.getsockname()))
            acceptor._accept(2 * AT_A_TIME + 2)
            held = [accepted for line in acceptor._waiting._lines.values() for accepted, _ in line]
            assert [accepted.fileno() >= 0 for accepted in held] == [False] + [True] * (AT_A_TIME + 1)
            acceptor.stop(shared=False)

    asyncio.run(story())
