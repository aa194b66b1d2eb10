"""Match arriving echoes with the frames of one call that have not come back yet. Pure."""

import binascii
from collections import deque

LOST_AFTER_S = 5.0
"""Seconds after which a frame counts as lost; a real caller has hung up long before."""


class InFlight:
    """Frames sent and not answered, oldest first; at most `LOST_AFTER_S` of them are kept.

    Frames have to come back in order; one that is passed over by a later one is lost. A server may re-frame the audio:
    what is not one of the frames sent is compared byte by byte. Times are seconds of one monotonic clock.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._frames: deque[tuple[float, str]] = deque()
        self._rest = b""
        """Rest of the oldest frame, of which a part came alone."""

    def __len__(self) -> int:
        return len(self._frames)

    def sent(self, payload: str, at: float) -> None:
        """Count the frame ``payload`` (base64) as sent at ``at``."""
        while self._frames and self._frames[0][0] < at - LOST_AFTER_S:
            self._pass_over(1)
        self._frames.append((at, payload))

    def received(self, payload: str) -> tuple[float, ...] | None:
        """Return the send times of the frames that ``payload`` completes, oldest first; None if it is no such echo."""
        for place, (at, awaited) in enumerate(self._frames):
            if awaited == payload:
                self._pass_over(place)
                self._frames.popleft()
                self._rest = b""
                return (at,)
        return self._rechunked(payload)

    def give_up(self) -> None:
        """Count all frames that are still awaited as lost: nothing more will come."""
        self._pass_over(len(self._frames))

    def _pass_over(self, count: int) -> None:
        for _ in range(count):
            self._frames.popleft()
            self._rest = b""
        self.lost += count

    def _rechunked(self, payload: str) -> tuple[float, ...] | None:
        """Match ``payload`` with the audio awaited as one stream of bytes."""
        try:
            pcm = binascii.a2b_base64(payload, strict_mode=True)
        except ValueError:
            return None
        complete: list[float] = []
        rest = self._rest
        for at, awaited in self._frames:
            frame = rest or binascii.a2b_base64(awaited)
            if not pcm or not (frame.startswith(pcm) or pcm.startswith(frame)):
                break
            rest, pcm = frame[len(pcm) :], pcm[len(frame) :]
            if not rest:
                complete.append(at)
        if pcm or (not complete and rest == self._rest):
            return None
        for _ in complete:
            self._frames.popleft()
        self._rest = rest
        return tuple(complete)
