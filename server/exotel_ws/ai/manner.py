"""Tell by its words what a sentence does: it asks, it states, or it only leads up to what is meant. English, and some Hindi."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final, Literal

from exotel_ws.ai import usual_phrases
from exotel_ws.ai.wording import words

Manner = Literal["asks", "states", "leads", "open"]
"""``asks``: a whole question, request or complaint. ``leads``: the beginning of a story. ``open``: no sentence yet.
``states``: anything else."""

LANGUAGES: Final = ("en", "hi")
"""Languages whose words are known here; speakers of Hindi use English ones as well."""


def _set(listed: str) -> frozenset[str]:
    return frozenset(words(listed))


_BEFORE: Final = _set("""
    well so and but also then now okay ok yes yeah no right please kindly sir madam maam mam hello hi hey actually um uh oh er
    sorry just ji haan achha accha
""")
"""Words that may stand before a sentence and are no part of it."""
_WH: Final = _set("""
    what where when who how which why whats wheres whens whos hows kab kahan kya kaun kaise kitna kitne kitni kyun
    कब कहाँ क्या कौन कैसे कितना कितने कितनी क्यों
""")
_HEADS: Final = _set("when what how who")
"""Those of them that also begin a clause of a sentence whose point is another one: "when I opened the box"."""
_DETERMINERS: Final = _set("a an the this that these those my our your his her their")
_OWNERS: Final = _set("i we you he she they my our your his her their")
"""Words that begin a clause within a sentence, right after a noun: "the lamp I bought", "the parcel my wife sent"."""
_SUBJECTS: Final = _DETERMINERS | _set("""
    some any i you we they he she it there anybody anyone somebody someone its thats im ive id youre were theyre hes shes
    mera meri mere मेरा मेरी मेरे
""")
_LINKING: Final = _set("""
    is are was were am do does did can could will would shall should may must has have had cant wont
""")
_TOLD: Final = _set("""
    ordered bought placed paid got purchased called booked made sent took went came tried spoke lost applied visited opened
    returned asked saw was needed wanted received
""")
"""Verbs of a story: who begins with "I ordered …" has not come to the point."""
_VERBS: Final = _LINKING.union(
    _TOLD, _set("want need like comes goes says arrived arrives broke stopped works looks seems costs shows hai hain tha thi")
)
_ASK_FOR: Final = _set("""
    tell give connect transfer put track check cancel repeat say speak show send help get let call book find take stop wait
    forward return exchange
""")
_WRONG: Final = _set("not never late delayed missing lost broken damaged wrong nahi nahin नहीं")
_SUBORDINATE: Final = _set("""
    if while because since after before as once although though unless until for with on at in from about to of by regarding
    agar jab kyunki
""")
_LEAD_INS: Final = frozenset(map(words, usual_phrases.LEAD_INS))
_LEAST: Final = 2
"""Least words of a sentence."""
SHORT: Final = 3
"""Most words of a question such as "are you open" that may be half of one."""


def manner(text: str, last: tuple[str, ...]) -> Manner:
    """Return what the last sentence of ``text`` does; ``last`` are its words."""
    said, asked = _without(last), text.rstrip().endswith("?")
    if len(said) < _LEAST:
        return "states"
    if said[-1] == "please":
        return "asks"
    if _is_no_clause(said):
        return "states" if asked else "open"
    if said[0] in _SUBORDINATE or (said[0] in _HEADS and said[1] in _SUBJECTS):
        return "asks" if _asks_within(said) or (asked and len(said) > SHORT) else "open"
    if _asks(said, asked) or _complains(said):
        return "asks"
    if any(said[: len(each)] == each for each in _LEAD_INS) or _narrates(said):
        return "leads"
    return "states"


def _without(last: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words without those before a sentence."""
    return last[next((at for at, word in enumerate(last) if word not in _BEFORE), len(last)) :]


def _asks(said: tuple[str, ...], asked: bool) -> bool:
    if said[0] in _LINKING and said[1] in _SUBJECTS:
        return len(said) > SHORT
    if asked or said[0] in _WH or said[0] in _ASK_FOR:
        return True
    return any(one in _WH and (said[0] not in _SUBJECTS or other in _SUBJECTS) for one, other in pairwise(said))


def _complains(said: tuple[str, ...]) -> bool:
    """Return True for a sentence that says what is wrong: "my parcel has not arrived", "my order is late"."""
    return said[0] in _SUBJECTS and len(said) > SHORT and any(word in _WRONG or _denies(word) for word in said)


def _narrates(said: tuple[str, ...]) -> bool:
    """Return True for the beginning of a story: "I ordered a lamp", "my wife bought", "I am waiting"."""
    if said[0] not in _SUBJECTS or said[0] == "it":
        return False
    begins = said[0] == "im" or said[1] in ("am", "is", "are", "was", "were")
    waits = begins and any(word.endswith("ing") for word in said[1:3]) and "for" not in said
    return waits or bool(_TOLD.intersection(said[1:3]))


def _is_no_clause(said: tuple[str, ...]) -> bool:
    """Return True for a subject without what is said of it: "my order", "the thing that I bought", "the parcel you sent me"."""
    if said[0] not in _DETERMINERS:
        return False
    verbs = [at for at, word in enumerate(said) if word in _VERBS or _denies(word)]
    relative = any(one in ("that", "which", "who") and other in _SUBJECTS for one, other in pairwise(said[1:]))
    return len(verbs) <= (relative or any(word in _OWNERS for word in said[2 : verbs[0] if verbs else None]))


def _denies(word: str) -> bool:
    return word.endswith("nt") and word[:-2] in _LINKING


def _asks_within(said: Iterable[str]) -> bool:
    """Return True for a clause that asks after one that does not: "if I come at five, will you be open"."""
    return any(one in _LINKING and other in _SUBJECTS for one, other in pairwise(said))
