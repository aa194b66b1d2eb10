"""The admin socket's answer about live calls is bounded, even with long names."""

import json

from exotel_ws.state import listed


def facts(text: str) -> dict[str, object]:
    texts = dict.fromkeys(("call_sid", "stream_sid", "conn_id", "from", "to", "remote", "last_event"), text)
    return {**texts, "rate": 8000, "age_s": 12.3, "frames_in": 100, "frames_out": 100, "last_event_age_s": 0.1}


def test_all_calls_of_a_full_worker_are_listed() -> None:
    told = listed(facts("e33fa96945d009517c3ae54680751a4r") for _ in range(500))
    assert told["calls_unlisted"] == 0
    assert told["calls"] == [facts("e33fa96945d009517c3ae54680751a4r")] * 500


def test_calls_with_long_names_are_listed_as_far_as_they_fit() -> None:
    for character in ("x", "€", "\x01", '"'):
        told = listed(facts(character * 250_000) for _ in range(500))
        assert len(json.dumps(told)) < 512 * 1024
        assert len(told["calls"]) + told["calls_unlisted"] == 500  # type: ignore[arg-type,operator]
        assert told["calls"]
