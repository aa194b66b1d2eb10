"""Read what Exotel's Passthru applet tells of the stream before it, and choose the way that the call flow goes on.

Passthru waits for the answer with the caller on the line: 200 is its first way, 302 its second. Fields are those of live captures
(``Stream[Status]``, ``Stream[DisconnectedBy]`` …); documents show others, and lower case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from exotel_api.callbacks.fields import Fields
from exotel_api.callbacks.urls import address, recording

FIRST_WAY: Final = 200
SECOND_WAY: Final = 302
"""HTTP statuses that Exotel takes for the two ways out of its applet."""

Side = Literal["caller", "bot", "unknown"]
Condition = Literal["stream_failed", "stream_cancelled", "caller_ended", "bot_ended", "nothing_known"]
"""Condition under which the call takes the second way."""
_SIDES: Final[dict[str, Side]] = {"user": "caller", "caller": "caller", "customer": "caller", "bot": "bot", "system": "bot"}


@dataclass(frozen=True, slots=True)
class EndedStream:
    """Stream that is over, as Exotel tells of it; a text is empty where nothing was said.

    ``status`` is completed, failed or cancelled, or what else was said, in lower case; ``duration_s`` seconds. ``address`` is the
    host of the stream's URL, without path and query, which may hold a credential.
    """

    call_sid: str
    stream_sid: str
    status: str
    duration_s: float | None
    ended_by: Side
    error: str
    address: str
    recording_url: str

    @classmethod
    def of(cls, fields: Fields) -> "EndedStream":
        """Read a stream. Never raises."""
        return cls(
            call_sid=fields.get("CallSid"),
            stream_sid=_of_stream(fields, "StreamSID", "Sid"),
            status=_status(_of_stream(fields, "Status")),
            duration_s=seconds(_of_stream(fields, "Duration")),
            ended_by=_SIDES.get(_of_stream(fields, "DisconnectedBy").strip().lower(), "unknown"),
            error=_of_stream(fields, "Error", "DetailedStatus"),
            address=address(_of_stream(fields, "StreamUrl", "Url")),
            recording_url=recording(_of_stream(fields, "RecordingUrl") or fields.get("RecordingUrl")),
        )

    def meets(self, condition: Condition) -> bool:
        """Return True if the stream ended as ``condition`` says."""
        match condition:
            case "stream_failed":
                return self.status == "failed" or (not self.status and bool(self.error))
            case "stream_cancelled":
                return self.status == "cancelled"
            case "caller_ended":
                return self.ended_by == "caller"
            case "bot_ended":
                return self.ended_by == "bot"
            case "nothing_known":
                return not (self.stream_sid or self.status or self.error or self.ended_by != "unknown")

    def way(self, second: Sequence[Condition]) -> int:
        """Return `SECOND_WAY` if any of ``second`` is met, otherwise `FIRST_WAY`."""
        return SECOND_WAY if any(map(self.meets, second)) else FIRST_WAY


def seconds(text: str) -> float | None:
    """Read a duration in seconds, at most a day; None if it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 86_400 else None


def _of_stream(fields: Fields, *names: str) -> str:
    return fields.get(*(f"Stream.{name}" for name in names), *(name for name in names if name.startswith("Stream")))


def _status(text: str) -> str:
    said = text.strip().lower()
    return "cancelled" if said == "canceled" else said
