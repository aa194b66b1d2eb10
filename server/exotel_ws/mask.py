"""Mask callers' numbers, so that two calls can be told apart but nobody can be called back.

As `exotel_phone.mask` has it: the doctor has to run where this package cannot be imported, and the server never imports the tool.
"""

from typing import Final

_HIDDEN: Final = "•"


def masked(number: str) -> str:
    """Return ``number`` with its middle hidden: ``09876543210`` → ``098•••••210``; a name likewise.

    Show three letters or digits at each end of ten or more, of fewer a quarter at each end at most. Keep every other character,
    and what is masked already.
    """
    secret = [index for index, char in enumerate(number) if char.isalnum() or char == _HIDDEN]
    shown = 3 if len(secret) >= 10 else len(secret) // 4
    hidden = set(secret[shown : len(secret) - shown])
    return "".join(_HIDDEN if index in hidden else char for index, char in enumerate(number))
