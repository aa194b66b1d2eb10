"""Leave out of a transcript what recognisers write for sound that is no speech: lyrics between notes, ``[music]``, credits."""

import re
from typing import Final

_CAPTION: Final = re.compile(r"[♪♫♬][^♪♫♬]*[♪♫♬]?|\[[^\W\d]{1,20}(?: [^\W\d]{1,20}){0,3}\]|©.*", re.DOTALL)


def uncaptioned(text: str) -> str:
    """Return ``text`` without captions; empty if it is nothing else."""
    rest = _CAPTION.sub(" ", text)
    return text if rest == text else " ".join(rest.split())
