"""Tell words that carry a sentence from words that only surround it: English, and Hindi as it is spoken beside English."""

import re
from itertools import pairwise
from typing import Final, NamedTuple

from exotel_ws.ai import wording

_SAYING_NOTHING: Final = """
um uh er erm hmm hm mm mhm ah oh eh well so please hello hi hey okay ok kindly just actually basically anyway
sir madam maam mam bro bhai bhaiya ji na yaar जी यार
"""
_FILLERS: Final = frozenset(_SAYING_NOTHING.split())
"""Words that are left out, unless there are no others."""
_HUMS: Final = _FILLERS - frozenset(("ok", "okay", "ji", "जी"))
"""Those of them that are no answer by themselves either."""
_SAYING_LITTLE: Final = """
a an the i me my mine we our us you your it its this that these those there here is are was were be been being am do does
did have has had having will would shall should can could may might must to of in on at for from with about and or but if then
than as by into up out want wants wanted like need needed know tell let get give go going gonna now
what when where who how which why
ask asking asked check find wondering wonder wanna call calling called regarding concerning mean meant think
thought thinking sure prefer look speaking still yet already also too very much really some any one ones people guys
rather maybe perhaps able possible thing because since kind bit little good morning afternoon evening today tomorrow until
till come exactly only day days night tonight week weeks month ago last next before after yesterday down quick
zero two three four five six seven eight nine ten eleven twelve number
hai hain hoon ho tha thi the ka ki ke ko se mein main mera meri mere mujhe hum aap kya kuch bhi toh to abhi tak aaj kal log
chahiye rehta rehti rehte raha rahi rahe
है हैं हूँ हूं हो का की के को से में मैं मेरा मेरी मेरे मुझे हम आप क्या कुछ भी तो अभी तक
आज कल लोग चाहिए रहता रहती रहते रहा रही रहे
"""
WEAK: Final = frozenset(wording.words(_SAYING_LITTLE))
"""Words that say little by themselves."""
LINKING: Final = frozenset(("and", "then", "so"))
"""Words that say nothing but that another follows."""
ASKING: Final = frozenset(wording.words("what when where who how which why kab kahan kyun kaun कब कहाँ क्यों कौन"))
ARTICLES: Final = frozenset(("a", "an"))
"""Words before one that names a thing."""
OTHERS: Final = frozenset(wording.words("he she him his her hers"))
GOES_ON: Final = frozenset(
    wording.words("""
        need needed want wanted more another still help tell ask question questions know let get give thing explain repeat
        chahiye chaahiye aur ek batao bataiye bataye baat sawal poochna चाहिए और एक बताओ बताइए बात सवाल पूछना
    """)
)
"""Words beside a goodbye by which the caller goes on: "no, one more thing"."""
OPENS_QUESTION: Final = frozenset(("did", "do", "does", "are", "is", "was", "were", "will", "have", "has", "if"))
"""Words with which a question begins that is no request."""
NO: Final = frozenset(wording.words("no nope nahi nahin nahee नहीं नही ना न"))
"""Words that are an answer by themselves, and deny what follows them at once."""
NAHI: Final = frozenset(wording.words("nahi nahin nahee नहीं नही"))
"""Spellings of one word."""
NEGATIONS: Final = frozenset(wording.words("not dont never neither nor none without mat bina मत बिना")) | NO
_REPORTING: Final = frozenset(wording.words("spoke talked told met transferred connected"))
_WHOSE: Final = frozenset(("my", "your", "our", "the"))
_VERBS: Final = frozenset(("is", "are", "was", "were", "has", "had", "did", "asked", "said", "says"))
_SUBJECT: Final = 4
"""Words by the last of which a sentence that begins with "my" or "the" has its verb: "my manager is …"."""
_MINE: Final = frozenset(wording.words("mera meri mere main मेरा मेरी मेरे मैं"))
_IS: Final = frozenset(wording.words("hai hain hoon है हैं हूँ"))
_REQUESTING: Final = frozenset(
    wording.words("""
        want wants wanted need needs can could may let please get give put connect transfer would like speak talk ask now
        baat chahiye बात चाहिए
    """)
)
"""Words of what somebody did or is, and of wishes: "I spoke to an agent" is none, nor is "mera bhai agent hai"."""
_WAITING: Final = frozenset(
    wording.words("wait ruko rukiye rukiyega ruk rukna thahro thehro tehro rukie रुको रुकिए रुकिये रुक रुकना ठहरो ठहरिए")
)
_WAITING_PHRASES: Final = frozenset(
    (first, last)
    for first, some in (
        ("hold", ("on",)),
        ("hang", ("on",)),
        ("one", ("moment", "second", "minute")),
        ("a", ("moment", "second", "sec", "minute")),
        ("ek", ("minute", "second")),
    )
    for last in some
)
_SHORT_FORMS: Final = (
    (re.compile(r"\bcan't\b|\bcannot\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\bdont\b"), "do not"),
    (re.compile(r"\b(what|where|when|who|how|which|that|it|there|here|he|she)'s\b"), r"\1 is"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'d\b"), " would"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"\byou people\b"), "you"),
)
_NO_DENIALS: Final = (
    (re.compile(r"(^|[,.!?;] *)(can|could) not (?=(i|you|we|somebody|someone|anybody|anyone)\b)"), r"\1\2 "),
    (re.compile(r"\bwhy (do|can|could) not (?=(i|you|we)\b)"), r"\1 "),
    (re.compile(r"\bno need\b"), "do not need"),
    (re.compile(r"\b(instead of|rather than)\b"), "not"),
)
"""Questions whose "not" asks for what it seems to deny ("can't you connect me?"), and denials that have none."""
_MOST_OF_WAITING: Final = 3
"""Most words of a part that only asks to wait."""
_LEADS_IN: Final = re.compile(r"^(\W*(?:just )?(?:one|a|ek) (?:second|sec|minute|moment))\b")
"""Request to wait that a sentence begins with: people who only clear their throat say so too."""
_SET_PHRASES: Final = re.compile(
    r"\b(i )?(do not know|am not sure|have no idea|was not sure)\b|\bwhy not\b|\bor not\b|\b(i mean|i meant|quick question)\b"
    r"|\b(kindly )?do the needful\b|\b(in order to|out of order)\b"
)
"""Set phrases whose "not" denies nothing that follows."""
_ENDINGS: Final = re.compile(r"(?:ings?|ed|es|s|e|y|ies|ied)$")
_SHORTEST: Final = 4
"""Letters that a word needs to have an ending."""
_TURNING: Final = ("dis", "un")
"""Beginnings that turn the meaning of a word round."""
_BREAKS: Final = re.compile(r"[.!?,;:।…—–]+|\s-\s|\b(?:and|but|because|instead|rather)\b")
"""Ends of the parts of a sentence."""


class Heard(NamedTuple):
    """Words of a turn as a whole, and of each of its parts in order."""

    whole: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...]

    def after_waiting(self) -> "Heard | None":
        """Return what follows a first part that only asks to wait ("one minute, …"); None if there is no such part."""
        first, *rest = self.parts or ((),)
        asks = denials(first) and not NEGATIONS.intersection(first) and len(first) <= _MOST_OF_WAITING
        return Heard(_once(tuple(word for part in rest for word in part)), tuple(rest)) if asks and rest else None


def words(text: str) -> tuple[str, ...]:
    """Return the words of ``text`` without case, punctuation, English short forms and fillers. Letters keep marks (को, é)."""
    said = wording.words(_written_out(text))
    return tuple(word for word in said if word not in _FILLERS) or said


def heard(text: str, most: int) -> Heard:
    """Return what a caller said, at most ``most`` words of it, without set phrases and words said again."""
    full = _LEADS_IN.sub(r"\1,", _written_out(text))
    kept = _SET_PHRASES.sub(",", full)
    whole = _once(words(kept)) or words(full)
    parts: list[tuple[str, ...]] = []
    for part in filter(None, (_once(words(part)) for part in _BREAKS.split(kept))):
        if _HUMS.issuperset(part):
            continue
        if parts and _open(parts[-1]):
            parts[-1] += part
        else:
            parts.append(part)
    return Heard(whole[:most], tuple(part[:most] for part in parts))


def reports(said: tuple[str, ...]) -> bool:
    """Return True if ``said`` tells what somebody did or is, and asks for nothing ("I spoke to an agent")."""
    if not _REQUESTING.isdisjoint(said):
        return False
    i_am = any(three[:2] == ("i", "am") and three[2] in ("a", "an") for three in zip(said, said[1:], said[2:], strict=False))
    i_was = any(first in ("was", "were") and then in ("talking", "speaking") for first, then in pairwise(said))
    is_so = said[0] in _WHOSE and not _VERBS.isdisjoint(said[1:_SUBJECT])
    mine = said[0] in _MINE and said[-1] in _IS
    return i_am or i_was or is_so or mine or not (_REPORTING | OTHERS).isdisjoint(said)


def denials(said: tuple[str, ...]) -> frozenset[str]:
    """Return the words by which ``said`` denies something, or asks to wait.

    A "no" that is an answer is none ("no I want an agent"): only one that is followed by what it denies is ("no agent").
    """
    found = {word for word in said if word in NEGATIONS - NO or word in _WAITING}
    found |= {word for word, denied in pairwise(said) if word in NO and denied not in WEAK | NEGATIONS}
    found |= {word for before, word in pairwise(said) if word in NO - {"no", "nope"} and before not in NO}
    found |= {f"{first} {last}" for first, last in pairwise(said) if (first, last) in _WAITING_PHRASES}
    return frozenset(found)


def stem(word: str) -> str:
    """Return an English word without its ending: "closed", "closing" and "close" have one stem."""
    cut = _ENDINGS.sub("", word) if len(word) >= _SHORTEST else word
    if len(cut) < _SHORTEST - 1:
        return word
    return cut[:-1] if cut[-1] == cut[-2] else cut


def opposite(word: str, other: str) -> bool:
    """Return True if one word is the other with a prefix that turns its meaning round ("disconnect")."""
    shorter, longer = sorted((word, other), key=len)
    return any(longer.startswith(prefix) and stem(longer.removeprefix(prefix)) == stem(shorter) for prefix in _TURNING)


def _open(part: tuple[str, ...]) -> bool:
    """Return True if ``part`` denies what only the next one says ("I don't want, uh, an agent")."""
    denies = any(word in NEGATIONS and word not in NO for word in part)
    return denies and all(word in WEAK or word in NEGATIONS for word in part)


def _written_out(text: str) -> str:
    text = wording.plain(text)
    for short, full in (*_SHORT_FORMS, *_NO_DENIALS):
        text = short.sub(full, text)
    return text


def _once(said: tuple[str, ...]) -> tuple[str, ...]:
    """Return words without those that are said again at once ("no no no", "my my order")."""
    return tuple(word for place, word in enumerate(said) if not place or word != said[place - 1])
