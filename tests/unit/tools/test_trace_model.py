"""Records become calls and ladders: related messages are one row, gaps are reported, memory is bounded."""

from collections.abc import Iterable

import pytest
from exotel_phone.captures.records import Capture, Close, End, Gap, Message, Open, Record
from exotel_ws.encodings import Encoding
from exotelctl.trace import ladder
from exotelctl.trace.call import Call, Limits
from exotelctl.trace.calls import Trace
from exotelctl.trace.ladder import Row
from exotelctl.trace.report import heading
from rich.cells import cell_len

from tests.unit.tools.trace_calls import BEGAN, HEADER, PCM, Teller, capture, told


def _trace(records: Iterable[Record], limits: Limits | None = None) -> Trace:
    trace = Trace(limits or Limits())
    for record in records:
        trace.take(record)
    return trace


def _call(teller: Teller, limits: Limits | None = None) -> Call:
    return _trace([HEADER, *teller.records], limits).calls[teller.conn]


def _kinds(rows: list[Row]) -> list[str]:
    return [f"{row.sender[:1]}:{row.kind}{f'×{row.count}' if row.kind == 'run' else ''}" for row in rows]


def test_a_call_without_a_fault_is_a_short_ladder() -> None:
    trace = _trace(capture(told(frames=149)))
    call = trace.calls["conn_1"]
    rows = ladder.rows(call)
    assert _kinds(rows) == [":open", "e:connected", "e:start", "e:run×149", "s:run×149", "e:stop", ":close"]
    assert rows[3].label == "media × 149, 2.98 s, gaps p50 20.0 max 20 ms"
    assert rows[4].since_s == pytest.approx(0.022, abs=1e-6)
    assert rows[2].gap_s == pytest.approx(0.001, abs=1e-6)
    assert (call.frames, call.faults, call.doubts(), call.state) == ({"exotel": 149, "server": 149}, 0, [], "ended")
    assert call.how_it_ended == "stop by Exotel (1006): canceled or call ended"
    assert (call.call_sid, call.number_from, call.rate) == ("a950c8dabf74", "09876543210", 8000)
    assert trace.remarks() == []


def test_a_call_in_mu_law_has_the_length_that_is_heard() -> None:
    teller = Teller(encoding=Encoding.MULAW)
    teller.begins()
    teller.talks(149)
    call = _call(teller)
    assert call.encoding is Encoding.MULAW
    assert [row.label for row in ladder.rows(call)][3] == "media × 149, 2.98 s, gaps p50 20.0 max 20 ms"
    assert "8000 Hz µ-law" in " ".join(heading(call))


def test_expanded_every_message_is_a_row_in_the_order_of_time() -> None:
    rows = ladder.rows(_call_of(told(frames=3)), expanded=True)
    assert _kinds(rows)[3:11] == ["e:run×3", "s:run×3", "e:media", "s:media", "e:media", "s:media", "e:media", "s:media"]
    times = [row.since_s for row in rows[5:11]]
    assert times == sorted(times)
    assert rows[7].gap_s == pytest.approx(0.020, abs=1e-6)


def _call_of(records: list[Record]) -> Call:
    return _trace(capture(records)).calls["conn_1"]


def test_late_media_are_a_fault_that_begins_a_row() -> None:
    teller = Teller()
    teller.begins()
    teller.talks(10)
    teller.talks(1, gap_s=0.061)
    teller.talks(9)
    call = _call(teller)
    rows = ladder.rows(call)
    assert _kinds(rows)[3:] == ["e:run×10", "s:run×10", "e:run×10", "s:run×10"]
    assert [row.faults for row in rows[3:]] == [(), (), ("gap 61 ms",), ()]
    assert call.faults == 1


def test_media_that_are_59_ms_apart_are_not_late() -> None:
    teller = Teller()
    teller.begins()
    teller.talks(5, gap_s=0.059)
    assert _call(teller).faults == 0


def test_what_the_server_says_after_a_pause_is_a_row_of_its_own_and_no_fault() -> None:
    teller = Teller()
    teller.begins()
    for utterance in range(2):
        for _ in range(5):
            # 200 ms of audio each, sent ahead: no pause, as there is audio to play.
            teller.says(teller.media(PCM * 10), "server", after_s=0.1)
        teller.talks(100 * (1 - utterance), echoed=False)
    call = _call(teller)
    assert _kinds(ladder.rows(call))[3:] == ["s:run×5", "e:run×100", "s:run×5"]
    assert call.faults == 0


def test_other_messages_part_the_media() -> None:
    teller = Teller()
    teller.begins()
    teller.talks(2)
    teller.says(teller.stream.dtmf("5"))
    teller.talks(2)
    assert _kinds(ladder.rows(_call(teller)))[3:] == ["e:run×2", "s:run×2", "e:dtmf", "e:run×2", "s:run×2"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"event":"clear","stream_sid":"other"}', "another stream_sid"),
        ('{"event":"clear"}', "no stream_sid"),
        ('{"event":"clear","stream_sid":"e33fa96945d0"}', ""),
    ],
)
def test_a_message_of_the_server_has_to_name_the_stream(text: str, fault: str) -> None:
    teller = Teller()
    teller.begins()
    teller.says(text, "server")
    assert ladder.rows(_call(teller))[-1].faults == ((fault,) if fault else ())


@pytest.mark.parametrize(
    ("ended", "code", "words", "badly"),
    [
        ("stop", 1006, "stop by Exotel (1006): canceled or call ended", False),
        ("no_stop", 1006, "dropped without stop (1006)", True),
        ("no_start", 1006, "ended before start (1006)", True),
        ("closed_by_server", 1000, "closed by the server (1000)", False),
        ("closed_by_client", 1001, "closed by Exotel's side (1001)", False),
        ("new\x1b[31m", 4000, r"new\x1b[31m (4000)", False),
    ],
)
def test_who_ended_it(ended: str, code: int, words: str, badly: bool) -> None:
    teller = Teller()
    teller.begins()
    if ended == "stop":
        teller.says(teller.stream.stop())
    teller.closes(ended, code)
    call = _call(teller)
    assert (call.how_it_ended, call.ended_badly) == (words, badly)
    assert bool(ladder.rows(call)[-1].faults) is badly


def test_messages_that_are_missing_are_said_in_the_call_and_in_its_ladder() -> None:
    teller = Teller()
    teller.begins()
    teller.talks(5)
    teller.records.append(Gap(teller.at + 0.02, 40, {"conn_1": 30, "conn_2": 10}))
    teller.clock += 0.6
    teller.talks(5)
    trace = _trace([HEADER, *teller.records])
    call = trace.calls["conn_1"]
    assert call.doubts() == ["30 messages missing: the recording could not keep up"]
    assert trace.remarks() == ["40 messages missing: the recording could not keep up"]
    rows = ladder.rows(call)
    assert rows[5].faults == ("30 messages missing from here on",)
    # The 600 ms are the recording's, not Exotel's: no fault of the media.
    assert [row.faults for row in rows[6:]] == [(), ()]


@pytest.mark.parametrize(
    "records",
    [
        [Open(BEGAN, "conn_1", joined=True, call_sid="a950", from_="09876543210")],
        [Message(BEGAN, "conn_1", "exotel", '{"event":"mark"}')],
    ],
    ids=["said by the worker", "a message of a call that was never opened"],
)
def test_a_call_that_was_joined_late_says_so(records: list[Record]) -> None:
    call = _trace([HEADER, *records]).calls["conn_1"]
    assert call.doubts() == ["joined late: what was said before is not here"]
    assert ladder.rows(call)[0].faults == ("joined here: the call was already going on",)


def test_a_capture_that_ends_before_the_call_says_so() -> None:
    teller = Teller()
    teller.begins()
    trace = _trace([HEADER, *teller.records, End(BEGAN + 9, False, "worker killed", 2, 1)])
    call = trace.calls["conn_1"]
    assert call.state == "lost"
    assert call.doubts() == ["the capture ended before the call did: worker killed"]
    assert trace.remarks() == ["worker g1-1 is not complete: worker killed"]


def test_the_end_of_one_worker_is_not_the_end_of_anothers_calls() -> None:
    trace = _trace(
        [
            HEADER,
            Capture(1, "vm-1", "g1-2", "0.1.0", BEGAN, "omit", False),
            Open(BEGAN, "conn_1", instance="g1-1"),
            Open(BEGAN, "conn_2", instance="g1-2"),
            End(BEGAN + 1, False, "worker g1-1 went away without a word", 0, 1, "g1-1"),
            Message(BEGAN + 2, "conn_2", "exotel", '{"event":"connected"}'),
        ]
    )
    assert [(call.conn, call.state) for call in trace.calls.values()] == [("conn_1", "lost"), ("conn_2", "live")]
    assert trace.remarks() == ["worker g1-1 is not complete: worker g1-1 went away without a word"]


def test_of_a_long_call_the_first_and_the_latest_media_are_kept_and_all_are_counted() -> None:
    call = _call_with_limits(told(frames=1000), Limits(media_first=10, media_latest=20))
    rows = ladder.rows(call)
    assert [row.count for row in rows if row.kind == "run"] == [1000, 1000]
    assert rows[3].label == "media × 1000, 20.00 s, gaps p50 20.0 max 20 ms, 985 messages not kept"
    assert call.doubts() == ["1970 messages counted, but no longer kept: memory is bounded"]
    expanded = [row for row in ladder.rows(call, expanded=True) if row.kind == "media"]
    assert len(expanded) == 30
    assert [expanded[0].number, expanded[-1].number] == [4, 2003]
    assert call.characters == _kept_characters(call)


def _kept_characters(call: Call) -> int:
    return sum(len(record.text) for moment in call.kept() if isinstance(record := moment.record, Message))


def _call_with_limits(records: list[Record], limits: Limits) -> Call:
    return _trace(capture(records), limits).calls["conn_1"]


def test_a_ladder_without_end_keeps_its_beginning_and_its_latest_rows() -> None:
    teller = Teller()
    teller.begins()
    for number in range(300):
        teller.talks(1)
        teller.says(teller.stream.mark(f"m{number}"))
    call = _call(teller, Limits(steps=50))
    rows = ladder.rows(call)
    assert _kinds(rows)[:3] == [":open", "e:connected", "e:start"]
    assert rows[-1].label == "mark m299"
    assert len(call.steps) == 50
    assert "553 rows of the ladder no longer kept: memory is bounded" in call.doubts()
    assert call.characters == _kept_characters(call)


def test_text_is_bounded_over_all_calls() -> None:
    limits = Limits(characters=20_000)
    trace = _trace(capture(told(frames=100), told(conn="conn_2", frames=100)), limits)
    assert trace.characters <= 20_000
    assert trace.characters == sum(call.characters for call in trace.calls.values())
    assert all(call.frames == {"exotel": 100, "server": 100} for call in trace.calls.values())
    assert "no longer kept" in trace.calls["conn_1"].doubts()[0]


def test_a_message_that_is_too_long_is_cut_and_said() -> None:
    teller = Teller()
    teller.says('{"event":"' + "x" * 200_000 + '"}')
    call = _call(teller)
    assert call.characters == 65_536
    assert "1 message cut: longer than is kept" in call.doubts()


def test_the_oldest_ended_calls_make_room_and_live_ones_stay() -> None:
    live = Teller("conn_live")
    live.begins()
    ended = [told(conn=f"conn_{number}") for number in range(5)]
    trace = _trace([HEADER, *live.records, *(record for call in ended for record in call)], Limits(calls=3))
    assert list(trace.calls) == ["conn_live", "conn_3", "conn_4"]
    assert trace.remarks() == ["3 ended calls no longer kept: memory is bounded"]
    assert trace.characters == sum(call.characters for call in trace.calls.values())


def test_with_live_calls_only_no_further_one_is_taken_and_said() -> None:
    tellers = [Teller(f"conn_{number}") for number in range(4)]
    for teller in tellers:
        teller.begins()
    trace = _trace([HEADER, *(record for teller in tellers for record in teller.records)], Limits(calls=3))
    assert list(trace.calls) == ["conn_0", "conn_1", "conn_2"]
    assert trace.remarks() == ["1 call not shown: 3 live ones are followed already"]
    trace.take(Close(BEGAN + 9, "conn_3", "stop"))
    assert len(trace.calls) == 3


@pytest.mark.parametrize(
    ("text", "found"),
    [("a950", 1), ("A950C8", 1), ("9876543210", 1), ("conn_1", 1), ("2012345", 1), ("", 1), ("098•", 0), ("nothing", 0)],
)
def test_find(text: str, found: int) -> None:
    assert len(_trace(capture(told())).find(text)) == found


@pytest.mark.parametrize("width", [80, 110, 39])
def test_every_line_is_as_wide_as_the_ladder(width: int) -> None:
    teller = Teller()
    teller.begins()
    teller.talks(3)
    for name in (
        "電話電話電話電話電話電話電話電話電話電話電話電話",
        "📞" * 40,
        "x" * 500,
        "a\u0301" * 60,
        "\x1b[31m",
        "[red]x[/]",
    ):
        teller.says(teller.stream.mark(name))
        teller.says(teller.stream.mark(name), "server")
    teller.closes("no_stop")
    lines = [ladder.line(row, width) for row in ladder.rows(_call(teller), expanded=True)]
    assert {cell_len(line) for line in lines} == {width}
    assert cell_len(ladder.header(width)) == width
    assert all(line.isprintable() for line in lines)


def test_an_arrow_goes_from_who_said_it() -> None:
    rows = ladder.rows(_call_of(told(frames=2)))
    assert ladder.line(rows[1], 60) == f"{0.001:9.3f}{'':9} │ connected {'─' * 27}►│"
    words = "media × 2, 0.04 s, gaps p50 20.0 max 20 ms"
    assert ladder.line(rows[4], 80) == f"{0.022:9.3f}{'':9} │◄{'─' * (56 - len(words))} {words} │"


def test_filter_of_a_ladder() -> None:
    teller = Teller()
    teller.begins()
    teller.talks(2)
    teller.says(teller.stream.dtmf("5"))
    teller.talks(1, gap_s=0.2)
    rows = ladder.rows(_call(teller))
    assert _kinds(ladder.matching(rows, "DTMF")) == ["e:dtmf"]
    assert _kinds(ladder.matching(rows, "fault")) == ["e:run×1"]
    assert len(ladder.matching(rows, "media")) == 4
    assert ladder.matching(rows, "nothing like it") == []


def test_a_moment_is_found() -> None:
    rows = ladder.rows(_call_of(told(frames=100)))
    assert ladder.at_or_before(rows, 0.0) == 0
    assert ladder.at_or_before(rows, 1.5) == 4
    assert ladder.at_or_before(rows, 99.0) == len(rows) - 1


def test_the_cursors_row_is_found_again_after_media_were_expanded() -> None:
    call = _call_of(told(frames=100))
    folded, expanded = ladder.rows(call), ladder.rows(call, expanded=True)
    for row in folded:
        assert expanded[ladder.same_or_before(expanded, row)].kind == row.kind
    middle = next(row for row in expanded if row.number == 50)
    assert folded[ladder.same_or_before(folded, middle)].kind == "run"
