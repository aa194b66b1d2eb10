"""The call's plan and verdict."""

from array import array
from pathlib import Path

import pytest
from exotel_phone import audio
from exotel_phone.call import Order, judge, plan, round_trips, summary
from exotel_phone.exits import UsageFault
from exotel_phone.options import CallOptions
from exotel_phone.phone import CallResult
from exotel_phone.wire import Ids
from exotel_phone.writable import require_writable


def order(url: str, *, wav: Path | None = None, rate: int | None = None, seconds: float = 1) -> Order:
    return plan(CallOptions(url=url, wav=wav, rate=rate, seconds=seconds))


def test_rate_comes_from_the_flag_then_the_url_then_the_file(tmp_path: Path) -> None:
    wav = tmp_path / "in.wav"
    audio.write_wav(wav, 16000, bytes(640))
    assert order("ws://h?sample-rate=16000", rate=24000).rate == 24000
    assert order("ws://h?sample-rate=16000").rate == 16000
    assert order("ws://h", wav=wav).rate == 16000
    assert order("ws://h").rate == 8000
    with pytest.raises(UsageFault, match="16000 Hz"):
        order("ws://h?sample-rate=8000", wav=wav)


def test_what_cannot_be_called(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="--rate 11025"):
        order("ws://h", rate=11025)
    with pytest.raises(UsageFault, match="--seconds 0"):
        order("ws://h", seconds=0)
    with pytest.raises(UsageFault, match="no directory"):
        require_writable("--out", tmp_path / "no" / "out.wav")
    with pytest.raises(UsageFault, match="is a directory"):
        require_writable("--out", tmp_path)


def result(**changed: object) -> CallResult:
    facts: dict[str, object] = {
        "ids": Ids("s", "c", "l"),
        "rate": 8000,
        "connect_ms": 1.0,
        "duration_s": 0.1,
        "frames_sent": 2,
        "frames_received": 2,
        "bytes_sent": 640,
        "bytes_received": 640,
        "round_trips_ms": array("d", [1.0, 3.0]),
        "difference": None,
        "closed_early": "",
        "faults": (),
        "fault_count": 0,
        "late_max_ms": 0.1,
        "audio": b"",
    }
    return CallResult(**{**facts, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({}, None),
        ({"closed_early": "the server closed the call with 1011"}, "closed-early"),
        ({"fault_count": 1, "faults": ("a message without stream_sid",)}, "bad-messages"),
        ({"bytes_received": 0, "difference": 0}, "no-echo"),
        ({"bytes_received": 320, "difference": 320}, "lost"),
        ({"bytes_received": 639, "difference": 639}, "lost"),
        ({"difference": 17}, "altered"),
        ({"bytes_received": 960, "difference": 640}, "altered"),
    ],
)
def test_verdict(changed: dict[str, object], kind: str | None) -> None:
    seen = result(**changed)
    fault = judge(seen)
    assert (fault.kind if fault else None) == kind
    assert seen.ok == (kind is None)
    made = summary(order("ws://h"), seen, fault)
    assert made["ok"] == (kind is None)
    assert made["bit_exact"] == (seen.difference is None)


def test_loss_and_round_trips() -> None:
    assert result(bytes_received=639).frames_lost == 1
    assert result(bytes_received=0).frames_lost == 2
    assert result(bytes_received=960).frames_lost == 0
    assert round_trips(result()) == {"p50": 1.0, "p95": 3.0, "p99": 3.0, "max": 3.0}
    assert round_trips(result(round_trips_ms=array("d"))) is None
