"""``logs``: from a question to matches, from entries to lines, and several hosts' lines to one story."""

import dataclasses
import json
import os
import pty
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from exotel_phone.exits import Exit, UsageFault
from exotelctl import journal
from exotelctl.journal import DROPPED, Entry
from exotelctl.logs import lines, merge, question, story, verb
from exotelctl.logs.lines import Style
from exotelctl.options import LogsOptions

WORKER = "exotel-ws@20261125T102807-1c8a7fcd-2.service"
FROM = "[conn_1]    From: 09876543210 → To: +918047112345"


def entry(time: float = 1795602510.5, message: str = "[conn_1] 🚀 START EVENT", origin: str = "", **fields: str) -> Entry:
    unit = fields.pop("unit", WORKER)
    priority = int(fields.pop("PRIORITY", "6"))
    tail = origin or f"b=1;t={time};x={message.encode().hex()}"
    return Entry(time, message, priority, unit, f"s=1;i=1;{tail}", {"_HOSTNAME": "exo-a", **fields})


class TestQuestion:
    @pytest.mark.parametrize(
        ("typed", "lines"),
        [
            ({}, 50),
            ({"errors": True}, 50),
            ({"lines": 7}, 7),
            ({"call": "abc"}, None),
            ({"call": "abc", "lines": 7}, 7),
            ({"since": "-1h"}, None),
            ({"since": "-1h", "follow": True}, 50),
        ],
    )
    def test_a_look_back_that_nothing_bounds_is_bounded(self, typed: dict[str, Any], lines: int | None) -> None:
        assert question.ask(LogsOptions(**typed)).lines == lines

    @pytest.mark.parametrize("typed", [{"call": " "}, {"call": ""}, {"follow": True, "until": "now"}])
    def test_what_makes_no_sense_is_refused(self, typed: dict[str, Any]) -> None:
        with pytest.raises(UsageFault):
            question.ask(LogsOptions(**typed))

    def test_an_id_may_be_any_of_the_three(self) -> None:
        assert question.by_id("x") == ["CALL_SID=x", "+", "STREAM_SID=x", "+", "CONN_ID=x"]

    def test_alternatives(self) -> None:
        assert question.alternatives([["A=1", "B=1"], ["C=1"]]) == ["A=1", "B=1", "+", "C=1"]


class TestOurs:
    """Warnings of the operator's own test calls, which break the protocol on purpose, are no errors."""

    @pytest.fixture(autouse=True)
    def _journal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def read(*, lines: int | None = None, **_: object) -> Iterator[Entry]:
            found = [entry(at, f"line {at}", OURS="1") if at % 10 else entry(at, f"line {at}") for at in range(1, 101)]
            return iter(found[-lines:] if lines else found)

        monkeypatch.setattr(journal, "read", read)

    @pytest.mark.parametrize(
        ("typed", "shown"),
        [
            ({"errors": True, "since": "-1h"}, 10),
            ({"errors": True, "lines": 4}, 4),
            ({"errors": True, "ours": True, "since": "-1h"}, 100),
            ({"errors": True, "call": "x"}, 100),
            ({"since": "-1h"}, 100),
        ],
    )
    def test_they_are_left_out_of_the_errors_unless_asked_for(self, typed: dict[str, Any], shown: int) -> None:
        found = list(story._read(question.ask(LogsOptions(**typed)), []))
        assert len(found) == shown
        assert found[-1].message == "line 100"


class TestEdge:
    """The edge's refusals are shown between the server's lines; with --edge all of its lines, and no others."""

    PASSED = "edge frontend=wss client=203.0.113.9 port=5 status=101 reason=- ended=-- tls=TLSv1.3 bytes_in=1 bytes_out=1 ms=9"
    REFUSED = PASSED.replace("status=101 reason=-", "status=401 reason=key_wrong")
    DOWN = "Server voice/voice is DOWN, reason: Layer4 connection problem"
    STOPPED = "Proxy wss stopped (cumulated conns: FE: 15, BE: 0)."

    @pytest.fixture(autouse=True)
    def _journal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def read(*, matches: Sequence[str] = (), lines: int | None = None, **_: object) -> Iterator[Entry]:
            if list(matches) == [journal.OF_EDGE]:
                said = [self.PASSED, self.STOPPED, self.REFUSED, self.DOWN] * 10
                found = [entry(float(at), text, unit=journal.EDGE_UNIT) for at, text in enumerate(said)]
            else:
                found = [entry(at + 0.5, f"line {at}") for at in range(40)]
            return iter(found[-lines:] if lines else found)

        monkeypatch.setattr(journal, "read", read)

    @staticmethod
    def shown(**typed: Any) -> list[str]:
        asked = question.ask(LogsOptions(**typed))
        return [one.message for one in story._server_and_edge(asked, question.any_of("EVENT", asked.event))]

    def test_by_default_only_what_says_more(self) -> None:
        messages = self.shown(since="-1h")
        assert not {self.PASSED, self.STOPPED} & {*messages}
        assert (messages.count(self.REFUSED), messages.count(self.DOWN), len(messages)) == (10, 10, 60)

    def test_the_last_lines_of_both(self) -> None:
        assert self.shown(lines=3) == ["line 38", self.DOWN, "line 39"]

    def test_with_edge_all_of_its_own(self) -> None:
        assert self.shown(since="-1h", edge=True) == [self.PASSED, self.STOPPED, self.REFUSED, self.DOWN] * 10
        assert self.shown(lines=2, edge=True) == [self.REFUSED, self.DOWN]

    def test_the_edge_has_no_events(self) -> None:
        assert self.REFUSED not in self.shown(since="-1h", event=["refused"])

    @pytest.mark.parametrize("typed", [{"call": "x"}, {"event": ["refused"]}])
    def test_what_the_edge_does_not_have_is_refused(self, typed: dict[str, Any]) -> None:
        with pytest.raises(UsageFault, match="--edge"):
            question.ask(LogsOptions(edge=True, **typed))

    def test_what_haproxy_writes_as_its_own_user_is_trusted(self) -> None:
        narrowed = journal.trusted(["EVENT=open", "+", journal.OF_EDGE])
        at = narrowed.index("+")
        assert any(match.startswith("_UID=") for match in narrowed[:at])
        assert narrowed[at + 1 :] == [journal.OF_EDGE]


class TestText:
    def test_time_worker_and_message(self) -> None:
        shown = lines.as_text(entry(), Style(host=True, worker=True))
        assert shown[2] == "-"
        assert re.search(r"\.500 [+-]\d{4}  exo-a  102807-1c8a7fcd-2  \[conn_1\] 🚀 START EVENT$", shown)

    def test_numbers_are_masked_unless_asked_for(self) -> None:
        assert "From: 098•••••210 → To: +918••••••345" in lines.as_text(entry(message=FROM), Style())
        assert FROM in lines.as_text(entry(message=FROM), Style(numbers=True))
        assert "98765" not in lines.as_json(entry(message=FROM), Style())

    def test_a_number_that_plays_the_arrow_is_masked_as_well(self) -> None:
        shown = lines.as_text(entry(message="[c]    From: 09876543210 → To: 09876543211 → To: 08047112345"), Style())
        assert not any(number in shown for number in ("98765", "47112"))

    @pytest.mark.parametrize(
        "hostile",
        ["\x1b[2J\x1b]0;owned\x07", "\u202egnp.exe", "\u2066x\u2069", "a\rb", "\x9b31m", "\u200b", "tab\tstop", "\x00"],
    )
    @pytest.mark.parametrize("style", [Style(), Style(numbers=True, colour=True)])
    def test_what_a_caller_sent_cannot_steer_the_terminal(self, hostile: str, style: Style) -> None:
        shown = lines.as_text(entry(message=f"[c]    From: {hostile} → To: {hostile}"), style)
        ours = shown.replace("\x1b[2m", "").replace("\x1b[0m", "")
        assert ours.isprintable()

    def test_a_second_line_is_indented_so_that_it_passes_for_no_other(self) -> None:
        shown = lines.as_text(entry(message="Traceback\n11-25 10:00:00.000  [conn_1] 👋 Connection closed"), Style())
        assert [line[:4] for line in shown.split("\n")[1:]] == ["    "]

    @pytest.mark.parametrize(("priority", "colour"), [("6", ""), ("4", "\x1b[33m"), ("3", "\x1b[31m"), ("2", "\x1b[31m")])
    def test_colour_is_for_warnings_and_errors(self, priority: str, colour: str) -> None:
        message = lines.as_text(entry(PRIORITY=priority), Style(colour=True)).partition("  \x1b" if colour else "  [")[2]
        assert message.startswith(colour.removeprefix("\x1b"))
        assert "\x1b" not in lines.as_text(entry(PRIORITY=priority), Style())

    def test_suppressed_lines_are_told_of(self) -> None:
        gap = entry(message="Suppressed 32 messages from x", MESSAGE_ID=DROPPED, N_DROPPED="32")
        assert "journald suppressed 32 messages of 102807-1c8a7fcd-2: lines are missing" in lines.as_text(gap, Style())

    @pytest.mark.parametrize(
        ("unit", "shown"),
        [(WORKER, "102807-1c8a7fcd-2"), ("exotel-ws.socket", "exotel-ws.socket"), ("exotel-ws@odd.service", "odd")],
    )
    def test_short(self, unit: str, shown: str) -> None:
        assert lines.short(entry(unit=unit)) == shown


class TestJson:
    def test_it_can_be_read_back(self) -> None:
        before = entry(EVENT="start", CALL_SID="abc", _PID="7", PRIORITY="4")
        after = lines.from_json(json.loads(lines.as_json(before, Style())))
        assert dataclasses.replace(after, fields={}) == dataclasses.replace(before, fields={})
        assert after.fields == {"EVENT": "start", "CALL_SID": "abc", "_HOSTNAME": "exo-a"}

    def test_each_is_one_line(self) -> None:
        assert "\n" not in lines.as_json(entry(message="a\nb"), Style())


class TestOrder:
    def test_by_time_then_as_each_source_has_it(self) -> None:
        one = [entry(1, "a"), entry(2, "b"), entry(2, "c")]
        two = [entry(1.5, "x"), entry(2, "y")]
        assert [item.message for item in story.in_order([one, two])] == ["a", "x", "b", "c", "y"]

    def test_what_two_sources_have_comes_once(self) -> None:
        shared = entry(2, "s")
        assert [item.message for item in story.in_order([[entry(1, "a"), shared], [shared, entry(3, "z")]])] == ["a", "s", "z"]

    def test_following_repeats_nothing_and_leaves_nothing_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = [entry(1, "a"), entry(2, "b"), entry(2, "c")]
        asked: dict[str, Any] = {}

        def read(**given: Any) -> Iterator[Entry]:
            asked.update(given)
            stranger = entry(2.5, "sshd", unit="ssh.service")
            return iter([*before[1:], entry(2, "d"), stranger, entry(3, "e")])

        monkeypatch.setattr(journal, "read", read)
        found = story.in_order([story._go_on(iter(before), LogsOptions(), ["_PID=1"])])
        assert [item.message for item in found] == ["a", "b", "c", "d", "e"]
        assert asked["since"] == "@2.000000"
        assert asked["follow"] is True


def answers(host: str, *entries: Entry, starts: float | None = 100.0) -> list[str]:
    head = json.dumps({"kind": "journal", "host": host, "starts": starts, "whole": True, "known": True})
    return [head, *(lines.as_json(item, Style()) for item in entries)]


def source(host: str, fault: str = "") -> str:
    return json.dumps({"kind": "source", "host": host, "fault": fault})


class TestMerge:
    def test_several_hosts_by_time_under_the_inventorys_names(self) -> None:
        text = [
            source("web-1"),
            *answers("exo-a", entry(1, "a"), entry(3, "c")),
            source("web-2", "unreachable: no route"),
            "",
            source("web-3"),
            *answers("exo-a", entry(2, "b"), starts=None),
        ]
        found = merge.read(text)
        assert [(item.host, item.message) for item in merge.story(found)] == [("web-1", "a"), ("web-3", "b"), ("web-1", "c")]
        assert [merge.as_text(item) for item in found[1:]] == [
            "web-2: did not answer: unreachable: no route",
            "web-3: answered 1 line, the journal is empty",
        ]
        assert merge.as_text(found[0]).startswith("web-1: answered 2 lines, the journal starts at 1970-01-01 ")

    def test_without_the_playbook_each_journal_is_a_host(self) -> None:
        found = merge.read([*answers("exo-a", entry(1, "a")), *answers("exo-b")])
        assert [(item.host, len(item.entries), item.answered) for item in found] == [("exo-a", 1, True), ("exo-b", 0, True)]

    def test_a_host_that_said_nothing_did_not_answer(self) -> None:
        [found] = merge.read([source("web-1")])
        assert merge.as_text(found) == "web-1: did not answer: nothing came"

    @pytest.mark.parametrize("wrong", ["NaN", "Infinity", "-1", "1e300", '"1"', "null", "[]"])
    def test_a_time_that_no_calendar_has_is_refused(self, wrong: str) -> None:
        rest = '"message":"m","priority":6,"unit":"u","cursor":"c","fields":{}}'
        line = f'{{"kind":"line","host":"h","time":{wrong},{rest}'
        with pytest.raises(UsageFault, match="line 2 to merge"):
            merge.read(['{"kind":"source","host":"h","fault":""}', line])

    def test_an_entry_that_two_hosts_have_comes_once(self) -> None:
        copied = [entry(1, "a", origin="b=1;t=1"), entry(2, "b", origin="b=1;t=2")]
        found = merge.read([*answers("exo-a", *copied), *answers("collector", *copied)])
        assert [item.message for item in merge.story(found)] == ["a", "b"]

    @pytest.mark.parametrize("text", ["no json", "[]", "{}", '{"kind": "line"}', '{"kind": "else", "host": "x"}', "3"])
    def test_what_is_not_ours_is_refused(self, text: str) -> None:
        with pytest.raises(UsageFault, match="line 1 to merge"):
            merge.read([text])

    def test_hostile_names_and_reasons_are_harmless(self) -> None:
        [found] = merge.read([source("a\x1b[2J", "b\x1b[2J\n")])
        assert merge.as_text(found).isprintable()


class TestVerb:
    @pytest.fixture
    def journal_of_one_call(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make a journal that knows the call abc and nothing else."""

        def look_back(asked: LogsOptions) -> story.Story:
            known = asked.call in ("abc", None)
            return story.Story(iter([entry()] if known else []), 100.0, whole=known, known=known)

        monkeypatch.setattr(story, "look_back", look_back)

    @pytest.mark.usefixtures("journal_of_one_call")
    def test_an_unknown_call_is_no_silence(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert verb.run(LogsOptions(call="ab\x1bc", since="-1h")) is Exit.PROBLEM
        assert r"No line of ab\x1bc since -1h: the journal starts at 1970-01-01" in capsys.readouterr().out

    @pytest.mark.usefixtures("journal_of_one_call")
    def test_json_says_first_how_far_back_it_reaches(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert verb.run(LogsOptions(call="abc", json=True)) is Exit.OK
        head, line = (json.loads(text) for text in capsys.readouterr().out.splitlines())
        assert head == {"kind": "journal", "host": os.uname().nodename, "starts": 100.0, "whole": True, "known": True}
        assert line["kind"] == "line"

    @pytest.mark.usefixtures("journal_of_one_call")
    def test_colours_only_on_a_terminal(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        verb.run(LogsOptions(call="abc"))
        assert "\x1b" not in capsys.readouterr().out
        primary, secondary = pty.openpty()
        with os.fdopen(secondary, "w") as terminal:
            monkeypatch.delenv("NO_COLOR", raising=False)
            monkeypatch.setattr(sys, "stdout", terminal)
            verb.run(LogsOptions(call="abc"))
            assert b"\x1b[2m" in os.read(primary, 4096)
        os.close(primary)
