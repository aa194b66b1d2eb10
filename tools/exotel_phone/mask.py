"""Callers' numbers, shown so that two calls can be told apart but nobody can be called back."""

from typing import Final

_HIDDEN: Final = "•"


def masked(number: str) -> str:
    """``09876543210`` → ``098•••••210``; a name in the same way. What is neither letter nor digit stays.

    Of ten or more letters and digits three at each end are shown, of fewer a quarter at each end at most. What is masked already
    stays as it is.
    """
    secret = [index for index, char in enumerate(number) if char.isalnum() or char == _HIDDEN]
    shown = 3 if len(secret) >= 10 else len(secret) // 4
    hidden = set(secret[shown : len(secret) - shown])
    return "".join(_HIDDEN if index in hidden else char for index, char in enumerate(number))
