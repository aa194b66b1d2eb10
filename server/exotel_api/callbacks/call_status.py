"""Read what Exotel tells of a call that was placed by its API, in its status callback.

Callbacks may be late, doubled, out of order or missing. Fields are those of Exotel's pages on StatusCallback.
"""

from dataclasses import dataclass
from typing import Final

from exotel_api.callbacks.ended_stream import seconds
from exotel_api.callbacks.fields import Fields
from exotel_api.callbacks.urls import recording

ORDER: Final = ("queued", "ringing", "in-progress", "completed")
"""Statuses of a call in their order; what comes late takes none of them back."""
ENDED: Final = frozenset(("completed", "failed", "busy", "no-answer", "cancelled"))
"""Statuses after which nothing more happens to a call."""
_NAMES: Final = {"canceled": "cancelled", "no_answer": "no-answer", "noanswer": "no-answer", "inprogress": "in-progress"}


@dataclass(frozen=True, slots=True)
class CallStatus:
    """Status of a call, as Exotel tells of it; a text is empty where nothing was said.

    ``status`` is one of `ORDER` or `ENDED`, or what else was said, in lower case; ``event`` what happened, as ``answered`` or
    ``terminal``; ``conversation_s`` seconds. Times are texts as they came: their zone is not told.
    """

    call_sid: str
    status: str
    event: str
    caller: str
    called: str
    direction: str
    began: str
    ended: str
    conversation_s: float | None
    custom_field: str
    recording_url: str

    @classmethod
    def of(cls, fields: Fields) -> "CallStatus":
        """Read a status. Never raises."""
        said = fields.get("Status", "CallStatus").strip().lower()
        return cls(
            call_sid=fields.get("CallSid", "Sid"),
            status=_NAMES.get(said, said),
            event=fields.get("EventType").strip().lower(),
            caller=fields.get("From", "CallFrom"),
            called=fields.get("To", "CallTo"),
            direction=fields.get("Direction").strip().lower(),
            began=fields.get("StartTime"),
            ended=fields.get("EndTime"),
            conversation_s=seconds(fields.get("ConversationDuration")),
            custom_field=fields.get("CustomField"),
            recording_url=recording(fields.get("RecordingUrl")),
        )


def later(known: str, told: str) -> str:
    """Return the status of a call of which ``known`` was told before, and ``told`` now: an end stays, and nothing goes back.

    A status that is not known here counts as the beginning.
    """
    return told if _place(told) >= _place(known) and known not in ENDED else known


def _place(status: str) -> int:
    return len(ORDER) if status in ENDED else ORDER.index(status) if status in ORDER else -1
