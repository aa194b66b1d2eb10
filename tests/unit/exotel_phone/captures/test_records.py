"""The capture format: written records are read back, damaged ones are named."""

from pathlib import Path

import pytest
from exotel_phone.captures import records
from exotel_phone.captures.records import Capture, CaptureFault, Close, End, Gap, Message, Open, Record, line, parse, read

HEAD = Capture(1, "vm-1", "g-1", "r", 100.0, "keep", False, {"next": 1})
ALL: list[Record] = [
    HEAD,
    Open(101.5, "conn_a", "203.0.113.9", "8000", "g-1"),
    Open(101.6, "conn_b", joined=True, call_sid="c", stream_sid="s", from_="098", to="020"),
    Message(101.7, "conn_a", "exotel", '{"event":"connected"}\n'),
    Message(101.8, "conn_a", "server", "\x1b[31m\u202e\U0001f600", omitted=3),
    Message(101.9, "conn_a", "exotel", "AAE=", binary=True),
    Gap(102.0, 7, {"conn_a": 7}),
    Close(103.0, "conn_a", "stop", 1006),
    End(104.0, False, "7 messages lost", 3, 2),
]


def write(folder: Path, *lines: bytes) -> Path:
    path = folder / "a.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert list(read(write(tmp_path, *map(line, ALL)))) == ALL


def test_the_lines_are_those_of_the_document() -> None:
    assert line(ALL[1]) == (
        b'{"type":"open","at":101.5,"conn":"conn_a","remote":"203.0.113.9","rate_asked":"8000","instance":"g-1"}\n'
    )
    assert line(ALL[3]) == (
        b'{"type":"message","at":101.7,"conn":"conn_a","from":"exotel","text":"{\\"event\\":\\"connected\\"}\\n"}\n'
    )
    assert line(ALL[8]) == b'{"type":"end","at":104.0,"complete":false,"why":"7 messages lost","messages":3,"calls":2}\n'


def test_a_key_of_a_newer_writer_is_no_obstacle() -> None:
    assert parse(b'{"type":"close","at":1,"conn":"c","ended":"stop","code":1006,"new":true}') == Close(1, "c", "stop", 1006)


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_last_line_that_was_cut_off_is_read_as_incomplete(cut: int, tmp_path: Path) -> None:
    lines = [line(record) for record in ALL[:4]]
    *there, end = read(write(tmp_path, *lines[:3], lines[3][:-cut]))
    assert there == ALL[:3]
    assert end == End(101.6, False, "the file ends in the middle of line 4", 0, 2)


def test_a_file_without_its_last_line_is_incomplete(tmp_path: Path) -> None:
    *_, end = read(write(tmp_path, *map(line, ALL[:-1])))
    assert isinstance(end, End)
    assert (end.complete, end.messages, end.calls) == (False, 3, 2)


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        ([b"{}\n"], "line 1"),
        ([b"\x7fELF\x1b[2J\n"], "line 1"),
        ([line(ALL[3])], "line 1: not a capture"),
        ([line(HEAD), b"rubbish\n", line(ALL[8])], "line 2"),
        ([line(HEAD), line(ALL[1]), line(HEAD)], "line 3"),
        ([line(HEAD), b'{"type":"message","at":"x","conn":"c","from":"exotel","text":""}\n'], "line 2"),
        ([line(HEAD), b'{"type":"message","at":1,"conn":"c","from":"mallory","text":""}\n'], "line 2"),
        ([line(HEAD), b'{"type":"other"}\n'], "line 2"),
        ([line(HEAD), b"[" * 100_000 + b"\n"], "line 2"),
        ([line(HEAD), b'"\xff"\n'], "line 2"),
        ([line(HEAD).replace(b'"version":1', b'"version":2')], "capture format 2"),
        ([], "line 1"),
        ([b'{"type":"capt'], "line 1"),
    ],
)
def test_damage_is_named_with_file_and_line(lines: list[bytes], where: str, tmp_path: Path) -> None:
    with pytest.raises(CaptureFault) as fault:
        list(read(write(tmp_path, *lines)))
    assert "a.jsonl" in str(fault.value)
    assert where in str(fault.value)
    assert str(fault.value).isprintable(), "no escape of a stranger reaches the terminal"


def test_an_endless_line_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_LINE", 1000)
    with pytest.raises(CaptureFault, match="line 2: longer than 1000 bytes"):
        list(read(write(tmp_path, line(HEAD), b"x" * 5000)))


def test_no_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(CaptureFault, match="No such file"):
        list(read(tmp_path / "nothing"))


@pytest.mark.parametrize("time", [b"1e15", b"-1e308", b"1e308", b"1e999", b"-1", b"NaN", b"253402300800"])
def test_a_time_that_is_no_date_is_no_record(time: bytes) -> None:
    for whole in (line(HEAD).replace(b"100.0", time), line(ALL[3]).replace(b"101.7", time)):
        with pytest.raises(CaptureFault):
            parse(whole)


def test_less_than_nothing_was_not_lost() -> None:
    with pytest.raises(CaptureFault):
        parse(line(ALL[6]).replace(b"7", b"-7"))
