"""A call takes messages in and gives messages out: tables of both, with the faults that are counted."""

import asyncio
import base64
import json
from typing import Any

import pytest
from exotel_ws.admission.bounds import Admission, Ticket
from exotel_ws.call import Call, HangUp, Phase
from exotel_ws.echo.mode import Echo, EchoMode
from exotel_ws.engines import Closing, Request
from exotel_ws.handshake import Credentials, Target
from exotel_ws.metrics.tally import Tally
from exotel_ws.protocol import Media, Start, Writer
from exotel_ws.responder import Line, Responder
from exotel_ws.settings import Limits, Output, Settings
from exotel_ws.stream import Stream

PAYLOAD = "AQIDBA=="


def text(event: str, sid: str | None = "s", **body: Any) -> str:
    return json.dumps({"event": event} | ({"stream_sid": sid} if sid is not None else {}) | body)


def media(payload: str) -> str:
    return text("media", media={"payload": payload})


CONNECTED = text("connected", None)
START = text("start", start={"call_sid": "c"})
MEDIA = text("media", media={"payload": PAYLOAD})
STOP = text("stop", stop={"reason": "callended"})
ECHO = f'{{"event":"media","stream_sid":"s","media":{{"payload":"{PAYLOAD}"}}}}'


def mark(name: str) -> str:
    return text("mark", mark={"name": name})


def marked(name: str) -> str:
    return f'{{"event":"mark","stream_sid":"s","mark":{{"name":"{name}"}}}}'


class Rig:
    """Call with its surroundings, which record its effects."""

    def __init__(
        self, settings: Settings | None = None, credentials: Credentials | None = None, private: bool = False, **query: str
    ) -> None:
        self.tally = Tally()
        self.phases: list[Phase] = []
        self.now = 1000.0
        target, settings = Target("/", query), settings or Settings()
        self.call = Call(
            *("conn_1", "203.0.113.9", target, settings, self.tally, lambda _start, writer, _rate: Echo(writer)),
            credentials,
            self.phases.append,
            clock=lambda: self.now,
            private=private,
        )

    def take(self, *messages: str | bytes) -> list[str]:
        return [answer for message in messages for answer in self.call.receive(message)]

    def faults(self) -> dict[str, int]:
        return {kind: count for kind, count in self.tally.faults.items() if count}


@pytest.mark.parametrize(
    ("messages", "answers", "faults"),
    [
        ([CONNECTED, START, MEDIA, MEDIA, STOP], [ECHO, ECHO], {}),
        ([CONNECTED, START, mark("a"), mark("b"), mark("a")], [marked("a"), marked("b")], {}),
        ([CONNECTED, START, text("dtmf", dtmf={"digit": "5"}), text("clear")], [], {}),
        ([START, MEDIA], [ECHO], {"no_connected": 1}),
        ([START, CONNECTED, MEDIA], [ECHO], {"no_connected": 1}),
        ([CONNECTED, MEDIA], [ECHO], {"media_before_start": 1}),
        ([CONNECTED, MEDIA, START, MEDIA], [ECHO, ECHO], {"media_before_start": 1}),
        ([CONNECTED, text("media", None, media={"payload": PAYLOAD}), START, MEDIA], [ECHO], {"media_before_start": 1}),
        ([CONNECTED, MEDIA, START, START, MEDIA], [ECHO, ECHO], {"media_before_start": 1, "duplicate_start": 1}),
        ([CONNECTED, START, START, MEDIA], [ECHO], {"duplicate_start": 1}),
        ([CONNECTED, START, mark("a"), START, mark("a")], [marked("a"), marked("a")], {"duplicate_start": 1}),
        ([CONNECTED, START, text("media", "other", media={"payload": PAYLOAD})], [ECHO], {"other_stream": 1}),
        ([CONNECTED, START, text("media", None, media={"payload": PAYLOAD})], [ECHO], {}),
        ([CONNECTED, mark("early"), START], [], {"unsolicited_mark": 1}),
        ([CONNECTED, text("dtmf", dtmf={"digit": "1"}), START], [], {}),
        ([CONNECTED, START, STOP, MEDIA, mark("a"), START], [], {"after_stop": 3}),
        ([STOP, START, MEDIA], [], {"after_stop": 2}),
        ([CONNECTED, START, text("new"), MEDIA], [ECHO], {"unknown_event": 1}),
        ([CONNECTED, START, "{", "[]", "{}", MEDIA], [ECHO], {"not_json": 1, "bad_type": 1, "no_event": 1}),
        ([CONNECTED, START, text("media"), text("dtmf"), mark("")], [], {"missing_field": 2, "bad_digit": 1}),
        ([CONNECTED, START, mark("m" * 257)], [], {"too_long": 1}),
        ([CONNECTED, text("start", start={"from": "9" * 500}), MEDIA], [ECHO], {"too_long": 1}),
        ([CONNECTED, START, media("AQID"), MEDIA], [ECHO.replace(PAYLOAD, "AQID"), ECHO], {"bad_payload": 1}),
        ([CONNECTED, START, media("QQ==QQ==")], [ECHO.replace(PAYLOAD, "QQ==QQ==")], {"bad_payload": 1}),
        ([CONNECTED, media("!!"), MEDIA], [ECHO], {"bad_payload": 1, "media_before_start": 1}),
        ([CONNECTED, text("start", start={"media_format": {"sample_rate": "fast"}}), MEDIA], [ECHO], {"unsupported_rate": 1}),
        ([CONNECTED, text("start", start={"custom_parameters": {"sample-rate:x=": ""}})], [], {"unsupported_rate": 1}),
        (
            [CONNECTED, text("start", start={"media_format": {"sample_rate": "44100"}}), MEDIA],
            [ECHO],
            {"unsupported_rate": 1},
        ),
    ],
)
def test_messages(messages: list[str], answers: list[str], faults: dict[str, int]) -> None:
    rig = Rig()
    assert rig.take(*messages) == answers
    assert rig.faults() == faults


@pytest.mark.parametrize(
    ("messages", "phases"),
    [
        ([CONNECTED], []),
        ([CONNECTED, START], [Phase.STARTED]),
        ([START, START, STOP, STOP], [Phase.STARTED, Phase.STOPPED]),
        ([MEDIA, START, STOP], [Phase.STARTED, Phase.STOPPED]),
        ([STOP], [Phase.STOPPED]),
    ],
)
def test_phases(messages: list[str], phases: list[Phase]) -> None:
    rig = Rig()
    rig.take(*messages)
    assert rig.phases == phases


def test_counters_and_facts() -> None:
    rig = Rig()
    rig.take(CONNECTED, START, *[MEDIA] * 5, mark("a"))
    assert (rig.tally.frames_in, rig.tally.frames_out) == (5, 5)
    assert (rig.tally.bytes_in, rig.tally.bytes_out) == (20, 20)
    facts = rig.call.facts()
    assert isinstance(facts.pop("age_s"), float)
    assert isinstance(facts.pop("last_event_age_s"), float)
    assert facts == {
        "from": "",
        "to": "",
        "remote": "203.0.113.9",
        "ours": False,
        "rate": 8000,
        "call_sid": "c",
        "stream_sid": "s",
        "conn_id": "conn_1",
        "frames_in": 5,
        "frames_out": 5,
        "last_event": "mark",
    }


@pytest.mark.parametrize(
    ("private", "numbers", "key"),
    [
        (False, "From: 09876543210 → To: 08047112233", "DTMF EVENT - 5"),
        (True, "From: 098•••••210 → To: 080•••••233", "DTMF EVENT - •"),
    ],
    ids=["echo", "ai"],
)
def test_who_is_logged(private: bool, numbers: str, key: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    start = text("start", start={"from": "09876543210", "to": "08047112233"})
    Rig(private=private).take(CONNECTED, start, text("dtmf", dtmf={"digit": "5"}))
    written = "\n".join(record.getMessage() for record in caplog.records)
    assert numbers in written
    assert key in written
    assert private is ("9876543210" not in written)


class Heard(Echo):
    """Bot that hears, and greets when it is made."""

    def __init__(self, start: Start, writer: Writer, made: list["Heard"]) -> None:
        super().__init__(writer)
        self.start, self.over = start, False
        self.payloads: list[str] = []
        self.media = self._hear
        made.append(self)

    def _hear(self, media: Media) -> tuple[str, ...]:
        self.payloads.append(media.payload)
        return ()

    def stopped(self) -> None:
        self.over = True


def bot_of(*messages: str, payload: str = PAYLOAD, credentials: Credentials | None = None) -> tuple[Call, list[Heard]]:
    """Return a call with these messages to a mode that needs start, and the bots that it made."""
    made: list[Heard] = []
    call = Call(
        *("conn_1", "203.0.113.9", Target("/", {}), Settings(), Tally()),
        lambda start, writer, _rate: Heard(start, writer, made),
        credentials,
        private=True,
        needs_start=True,
    )
    for message in messages:
        call.receive(message)
    return call, made


def test_media_before_start_make_one_bot_with_what_start_says_and_are_heard() -> None:
    started = text("start", start={"call_sid": "c", "from": "0801", "media_format": {"sample_rate": "16000"}})
    call, made = bot_of(CONNECTED, MEDIA, MEDIA, started, media("AAAA"))
    (bot,) = made
    assert (bot.start.call_sid, bot.start.from_, call.sample_rate) == ("c", "0801", 16000)
    assert bot.payloads == [PAYLOAD, PAYLOAD, "AAAA"]
    assert (call.frames_in, bot.over) == (3, False)


def test_without_start_no_bot_is_made_however_much_comes_and_little_is_kept() -> None:
    second = base64.b64encode(bytes(16000)).decode()
    call, made = bot_of(CONNECTED, *(media(second) for _ in range(50)))
    assert (made, call.phase) == ([], Phase.OPENED)
    call.receive(START)
    assert made[0].payloads == [second, second]


def test_media_before_a_credential_are_heard_once_it_is_shown() -> None:
    started = text("start", start={"custom_parameters": {"x": "token"}})
    _, made = bot_of(CONNECTED, MEDIA, started, credentials=Credentials(["user:token"]))
    assert [bot.payloads for bot in made] == [[PAYLOAD]]


def test_a_second_start_changes_the_stream() -> None:
    rig = Rig()
    rig.take(CONNECTED, START, text("start", "new", start={"media_format": {"sample_rate": 16000}}))
    assert rig.call.sample_rate == 16000
    (echo,) = rig.take(MEDIA)
    assert json.loads(echo)["stream_sid"] == "new"


def test_the_rate_of_the_query_until_start_says_another() -> None:
    rig = Rig(**{"sample-rate": "24000"})
    assert rig.call.sample_rate == 24000
    rig.take(text("start", start={"media_format": {"sample_rate": "16000"}}))
    assert rig.call.sample_rate == 16000


def test_marks_are_remembered_to_a_bound() -> None:
    """The names of marks are kept, and answered, up to a bound, even if a client invents names without end."""
    rig = Rig(Settings(limits=Limits(max_faults=5)))
    rig.take(START)
    assert len(rig.take(*(mark(str(number)) for number in range(3000)))) == 1000


def test_numbered_output() -> None:
    rig = Rig(Settings(output=Output(number_frames=True)))
    first, second = rig.take(START, MEDIA, MEDIA)
    assert (json.loads(first)["sequence_number"], json.loads(second)["sequence_number"]) == ("1", "2")


def hang_up(rig: Rig, *messages: str | bytes) -> HangUp:
    with pytest.raises(HangUp) as error:
        rig.take(*messages)
    assert len(error.value.reason.encode()) <= 123, "a close frame holds no more"
    return error.value


def test_binary_hangs_up() -> None:
    rig = Rig()
    assert hang_up(rig, CONNECTED, b"{}").code == 1003
    assert rig.faults() == {"binary": 1}


def test_too_many_malformed_messages_hang_up() -> None:
    rig = Rig(Settings(limits=Limits(max_faults=3)))
    # What is tolerated is not malformed, however often it comes.
    rig.take(START, *[text("new")] * 10, *[text("media", "other", media={"payload": PAYLOAD})] * 10, *["{"] * 3)
    assert hang_up(rig, "[]").code == 1008


def test_one_malformed_message_in_a_hundred_is_borne() -> None:
    rig = Rig()
    rig.take(START, *(message for _ in range(500) for message in ("{", *[MEDIA] * 99)))
    assert rig.tally.bounds["malformed"] == 0
    assert rig.tally.faults["not_json"] == 500


def test_malformed_messages_are_bounded_by_the_minute() -> None:
    rig = Rig()
    rig.take(START)
    for _ in range(600):
        rig.now += 2
        rig.take("{")
    rig.take(*["{"] * 49)
    assert hang_up(rig, *["{"] * 3).bound == "malformed"


def test_an_echo_bears_any_number_of_odd_payloads() -> None:
    """An echo bears any number of odd payloads: Exotel's own test client sends them for an unlimited time."""
    rig = Rig()
    assert len(rig.take(START, *[media("AQID")] * 1000)) == 1000
    assert rig.faults()["bad_payload"] == 1000


def test_a_bot_does_not_bear_payloads_without_audio() -> None:
    rig = Rig(private=True)
    assert hang_up(rig, START, *[media("!!!!")] * 60).code == 1008


def test_a_stream_that_repeats_start_without_end_hangs_up() -> None:
    """A stream that repeats ``start`` without end is hung up: each makes a bot that outlives the next ``start``."""
    rig = Rig(Settings(limits=Limits(max_faults=3)))
    rig.take(CONNECTED, *[START] * 4)
    assert hang_up(rig, START).code == 1008


def test_full_hangs_up() -> None:
    rig = Rig(Settings(limits=Limits(max_calls=2)))
    rig.tally.calls_live = 2
    assert hang_up(rig, CONNECTED, START).code == 1013
    assert rig.tally.rejected["full"] == 1
    assert rig.phases == []


class Connection:
    """Open WebSocket that records its messages and its close."""

    request = Request("/", {}, "203.0.113.9")
    remote_host = "203.0.113.9"
    code = 0

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, message: str) -> None:
        self.sent.append(message)

    def close(self, code: int, reason: str) -> None:
        self.code = code


class OneCall(EchoMode):
    """Mode that takes one call at a time."""

    taken = 0

    def respond(self, *args: Any, **options: Any) -> Responder:
        self.taken += 1
        return super().respond(*args, **options)

    def full(self) -> str:
        return "1 live call" * self.taken


def test_a_mode_that_is_full_takes_no_stream_that_was_opened_before() -> None:
    async def main() -> None:
        mode, tally = OneCall(), Tally()
        connections = [Connection() for _ in range(3)]
        streams = [Stream(each, Settings(), tally, None, mode, lambda _stream: None) for each in connections]
        for stream in streams:
            stream.opened()
        for stream in streams:
            stream.received(START)
        assert [each.code for each in connections] == [0, 1013, 1013]
        assert (mode.taken, tally.calls_live, tally.rejected["full"]) == (1, 1, 2)
        for stream in streams:
            stream.closed(Closing(1000))
        assert tally.calls_live == 0

    asyncio.run(main())


class Bot(EchoMode):
    """Mode that takes two calls at a time, and one more once a call is over."""

    live = 0

    def respond(self, start: Start, writer: Writer, line: Line, *, sample_rate: int) -> Responder:
        mode = self
        mode.live += 1

        class Counted(Echo):
            def stopped(self) -> None:
                mode.live -= 1

        return Counted(writer)

    def full(self) -> str:
        return "2 live calls" if self.live >= 2 else ""


def test_a_silent_call_makes_room_in_a_mode_that_is_full() -> None:
    """A silent call makes room at once, before its connection has closed."""

    async def main() -> None:
        now = 0.0
        mode, tally = Bot(), Tally()
        admission = Admission(Limits(), tally, max_calls=2, calls_bound="ai.max_calls", clock=lambda: now)

        def stream(host: str) -> tuple[Stream, Connection]:
            ticket = admission.accept(host, lambda: None)
            assert isinstance(ticket, Ticket)
            connection = Connection()
            connection.request = Request("/", {}, host, ticket)
            assert ticket.open() == ""
            opened = Stream(connection, Settings(), tally, None, mode, lambda _stream: None)
            opened.opened()
            return opened, connection

        silent = [stream("198.51.100.1") for _ in range(2)]
        for opened, _ in silent:
            opened.received(START)
        now = 1.0
        another, connection = stream("198.51.100.2")
        another.received(START)
        assert [each.code for _, each in silent] == [1013, 0]
        assert (connection.code, mode.live, tally.bounds["unproven_call"]) == (0, 2, 1)
        for opened, _ in (*silent, (another, connection)):
            opened.closed(Closing(1000))
        assert (tally.calls_live, admission.calls, len(admission.tickets)) == (0, 0, 0)

    asyncio.run(main())


class Greeter(EchoMode):
    """Mode that speaks first."""

    def respond(self, start: Start, writer: Writer, line: Line, *, sample_rate: int) -> Responder:
        line.send((ECHO,), 4)
        return super().respond(start, writer, line, sample_rate=sample_rate)


def test_what_is_said_as_the_stream_starts_is_sent() -> None:
    async def main() -> None:
        connection, tally = Connection(), Tally()
        stream = Stream(connection, Settings(), tally, None, Greeter(), lambda _stream: None)
        stream.opened()
        stream.received(START)
        assert connection.sent == [ECHO]
        assert tally.frames_out == 1
        stream.closed(Closing(1000))

    asyncio.run(main())


class TestCredentials:
    CREDENTIALS = Credentials(["user:token"])

    def test_shown_at_start(self) -> None:
        rig = Rig(credentials=self.CREDENTIALS)
        start = text("start", start={"custom_parameters": {"x": "token"}})
        assert rig.take(CONNECTED, start, MEDIA) == [ECHO]
        # Once shown is enough.
        assert rig.take(START, MEDIA) == [ECHO]

    def test_not_shown(self) -> None:
        rig = Rig(credentials=self.CREDENTIALS)
        assert hang_up(rig, CONNECTED, START).code == 1008
        assert rig.tally.rejected["credentials"] == 1

    def test_nothing_is_answered_before(self) -> None:
        rig = Rig(credentials=self.CREDENTIALS)
        assert rig.take(CONNECTED, MEDIA, mark("a"), text("dtmf", dtmf={"digit": "5"}), text("clear")) == []
        assert rig.phases == []
