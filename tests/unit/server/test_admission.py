"""Bounds on what each source may use, in virtual time."""

import pytest
from exotel_ws.admission.bounds import Admission, Ticket
from exotel_ws.admission.sources import Sources, source_name
from exotel_ws.metrics.tally import Tally
from exotel_ws.settings import Limits, SettingsError

A, B, C = "198.51.100.1", "198.51.100.2", "198.51.100.3"


class Door:
    """Admission with a clock of the test's, and the connections that it has dropped."""

    def __init__(self, most_files: int = 1_000_000, **limits: object) -> None:
        self.now = 1000.0
        self.tally = Tally()
        self.dropped: list[Ticket] = []
        self.aborted: list[Ticket] = []
        self.admission = Admission(Limits(**limits), self.tally, most_files=most_files, clock=lambda: self.now)  # type: ignore[arg-type]

    def enter(self, host: str = A) -> Ticket:
        entered = self.admission.accept(host, lambda: None)
        assert isinstance(entered, Ticket), entered
        entered.drop = lambda: self.dropped.append(entered)
        entered.abort = lambda: self.aborted.append(entered)
        return entered

    def kept_out(self, host: str = A) -> str:
        entered = self.admission.accept(host, lambda: None)
        assert isinstance(entered, str)
        return entered

    def call(self, host: str = A, frames: int = 0) -> Ticket:
        ticket = self.enter(host)
        assert ticket.open() == ""
        assert ticket.start(lambda: frames) == ""
        return ticket

    def prove(self, host: str = A) -> Ticket:
        """Prove a call by media at a phone's pace."""
        count = 0
        ticket = self.enter(host)
        ticket.open()
        ticket.start(lambda: count)
        for _ in range(3):
            count += 50
            self.now += 1
            self.admission.sweep()
        assert ticket.proven
        return ticket


def test_one_source_does_not_keep_another_out() -> None:
    door = Door(unproven_per_source=10, unproven_total=20)
    held = [door.enter(A) for _ in range(30)]
    door.enter(B)
    assert door.dropped == held[:20]
    assert door.tally.bounds["unproven_source"] == 20


def test_who_comes_last_of_a_source_can_still_show_a_credential() -> None:
    door = Door(unproven_per_source=2)
    first, second = door.enter(), door.enter()
    third = door.enter()
    assert door.dropped == [first]
    assert not second.closed
    third.prove()
    assert third.open() == ""


def test_the_source_that_holds_most_makes_room() -> None:
    door = Door(unproven_per_source=100, unproven_total=10)
    held = [door.enter(A) for _ in range(9)]
    door.enter(B)
    door.enter(C)
    assert door.dropped == [held[0]]
    assert door.tally.bounds["unproven_total"] == 1


def test_500_calls_at_once_are_all_served() -> None:
    door = Door()
    tickets = [door.enter() for _ in range(500)]
    assert {ticket.open() for ticket in tickets} == {""}
    assert {ticket.start(int) for ticket in tickets} == {""}
    assert door.dropped == []
    assert sum(door.tally.bounds.values()) == 0


def test_silent_calls_make_room() -> None:
    door = Door(max_calls=10)
    silent = [door.call(A) for _ in range(10)]
    assert door.admission.full()
    door.now += 1
    assert not door.admission.full()
    door.call(B)
    assert door.dropped == [silent[0]]
    assert door.admission.calls == 10


def test_calls_of_one_source_do_not_push_each_other_out_as_they_begin() -> None:
    """Calls of one source do not push each other out as they begin, though a first frame takes a second on a busy host."""
    door = Door(max_calls=10)
    for _ in range(10):
        door.call(A)
    door.now += 2
    assert door.enter(A).open() != ""
    assert door.dropped == []
    door.now += 3
    assert door.enter(A).open() == ""


def test_the_young_calls_of_a_proven_source_are_not_for_strangers() -> None:
    door = Door(max_calls=10)
    door.prove(A).close()
    for _ in range(10):
        door.call(A)
    door.now += 2
    assert door.enter(B).open() != ""
    assert door.dropped == []


def test_a_call_with_media_never_makes_room() -> None:
    door = Door(max_calls=2)
    for _ in range(2):
        door.prove(A)
    ticket = door.enter(B)
    assert "limits.max_calls = 2" in ticket.open()
    assert door.dropped == []


def test_a_proven_source_takes_the_place_of_a_call_that_has_just_begun() -> None:
    door = Door(max_calls=2)
    door.prove(A).close()
    young = [door.call(B) for _ in range(2)]
    door.call(A)
    assert door.dropped == [young[0]]


def test_a_start_proves_nothing_and_a_credential_does_at_once() -> None:
    door = Door()
    ticket = door.call()
    assert not ticket.trusted
    ticket.prove()
    assert ticket.trusted
    assert door.enter().trusted
    ticket.close()
    door.now += 3601
    assert not door.enter().trusted


def test_reserved_connections_are_for_the_proven() -> None:
    door = Door(max_connections=40, reserved_connections=4)
    for _ in range(36):
        assert door.enter(A).open() == ""
    assert "limits.max_connections" in door.enter(B).open()
    proven = door.enter(C)
    proven.prove()
    assert proven.open() == ""


def test_handshakes_a_second() -> None:
    door = Door(handshakes_burst=5, handshakes_per_source_s=1)
    for _ in range(5):
        door.enter().close()
    assert door.kept_out() == "handshake_rate"
    door.enter(B)
    door.now += 1
    door.enter()


def test_a_proven_source_has_no_rate() -> None:
    door = Door(handshakes_burst=5, handshakes_per_source_s=1)
    door.prove()
    for _ in range(100):
        door.enter().close()


def test_failures_bar_a_source_for_a_while_and_longer_each_time() -> None:
    door = Door()
    barred_s = []
    for _ in range(3):
        ticket = door.enter()
        for _ in range(20):
            ticket.fail()
        ticket.close()
        began = door.now
        while isinstance(door.admission.accept(A, lambda: None), str):
            door.now += 1
        barred_s.append(door.now - began)
        assert isinstance(door.admission.accept(B, lambda: None), Ticket)
        if len(barred_s) == 2:
            door.now += 600
    assert barred_s == [5, 10, 5], "longer each time, and forgotten after a while"


def test_a_few_failures_bar_nobody_and_are_forgotten() -> None:
    door = Door()
    ticket = door.enter()
    for _ in range(10):
        ticket.fail()
    assert ticket.source.delay_s(door.now) > 1
    door.now += 600
    assert ticket.source.delay_s(door.now) == 0
    door.enter()


def test_a_proven_source_is_not_barred() -> None:
    door = Door()
    ticket = door.prove()
    for _ in range(100):
        ticket.fail()
    door.enter()


def test_a_proxy_is_not_bounded_as_a_source() -> None:
    door = Door(unproven_per_source=1, handshakes_burst=1, handshakes_per_source_s=1, proxies=["198.51.100.0/24"])
    for _ in range(50):
        ticket = door.enter(A)
        ticket.fail(100)
    assert door.tally.bounds["barred"] == 0


def test_a_proxy_that_is_no_address() -> None:
    with pytest.raises(SettingsError, match=r"limits.proxies: 'lb.example' is neither"):
        Door(proxies=["lb.example"])


def test_files_run_short() -> None:
    door = Door(most_files=5)
    first = door.enter(A)
    for _ in range(4):
        door.enter(A)
    door.enter(B)
    assert door.dropped == [first]
    # Dropped connections take a moment to close: the number of those waited for is bounded.
    for _ in range(100):
        door.now += 2
        door.admission.accept(C, lambda: None)
    assert len(door.admission.tickets) == 5 + 64
    for ticket in list(door.admission.tickets):
        ticket.close()
    door.enter(C)


def test_sockets_that_linger_are_ended_when_their_files_are_needed() -> None:
    """WebSockets that linger in the close handshake, because their client does not answer, end when files are needed."""
    door = Door(most_files=20, unproven_per_source=10)
    held = [door.enter(A) for _ in range(20)]
    assert door.dropped == held[:10]
    assert door.aborted == []
    for count in range(1, 101):
        door.enter(A)
        for ticket in door.aborted[count - 1 :]:
            ticket.close()
    assert len(door.aborted) == 100
    assert len(door.admission.tickets) == 20
    door.enter(B)
    assert door.tally.bounds["files"] == 0, "only sockets without a place had to go"


def test_a_socket_that_loses_its_place_for_a_file_is_ended_at_once() -> None:
    door = Door(most_files=5)
    held = [door.enter(A) for _ in range(5)]
    door.enter(B)
    assert (door.dropped, door.aborted) == (held[:1], held[:1])


def test_a_closed_ticket_gives_everything_back() -> None:
    door = Door()
    for _ in range(3):
        door.prove().close()
        door.call().close()
        door.enter().close()
    assert (door.admission.calls, len(door.admission.tickets)) == (0, 0)
    places = door.admission.places()
    assert (places["unproven_sockets"], places["unproven_calls"], places["top"]) == (0, 0, {})


def test_who_holds_most_is_told() -> None:
    door = Door()
    door.enter(B)
    for _ in range(3):
        door.enter(A)
    door.call(B)
    assert door.admission.places()["top"] == {"source": A, "count": 3, "call_source": B, "call_count": 1}


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("local", "local"),
    ],
)
def test_a_source_is_an_address_or_a_network_of_ipv6(host: str, name: str) -> None:
    assert source_name(host) == name


def test_the_table_of_sources_is_bounded_and_keeps_who_is_there() -> None:
    sources = Sources(100, [])
    kept = sources.of("192.0.2.1", 0)
    kept.held = 1
    proven = sources.of("192.0.2.2", 0)
    proven.prove(1e9)
    for number in range(10_000):
        sources.of(f"10.0.{number // 250}.{number % 250}", 1)
    assert len(sources) == 100
    assert sources.of("192.0.2.1", 2) is kept
    assert sources.of("192.0.2.2", 2) is proven


def test_who_is_not_trusted_shares_with_its_source() -> None:
    door = Door()
    first, second, other = door.enter(A), door.enter(A), door.enter(B)
    share = first.share("requests", 1.0, 3)
    assert share is not None
    assert second.share("requests", 1.0, 3) is share
    assert other.share("requests", 1.0, 3) is not share
    first.prove()
    assert first.share("requests", 1.0, 3) is second.share("requests", 1.0, 3) is None
