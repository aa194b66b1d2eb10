"""Read the values of slots from what callers say or press, and say them back."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final, Literal

from exotel_ws.ai.scripted import numerals
from exotel_ws.ai.wording import words

Kind = Literal["number", "phone", "date", "yes_no", "amount"]

MOST_DIGITS: Final = 32
_PHONE: Final = 10
_YES: Final = frozenset(
    words("yes yeah yep yup ya correct right sure exactly absolutely haan han haa ha ji sahi theek thik bilkul okay ok")
    + words("हाँ हां हा जी सही ठीक बिलकुल बिल्कुल")
)
_NO: Final = frozenset(words("no nope nah not wrong incorrect nahi nahin nahee galat mat नहीं नही ना गलत मत"))
_CORRECTING: Final = frozenset(numerals.tokens("no sorry mean actually rather correction wait nahi nahin नहीं नही माफ बल्कि"))
"""Words after which a caller gives a value anew."""
_MONTHS: Final = (
    *(("january", "jan", "janvari", "जनवरी"), ("february", "feb", "farvari", "फरवरी"), ("march", "mar", "मार्च")),
    *(("april", "apr", "अप्रैल"), ("may", "mai", "मई"), ("june", "jun", "जून"), ("july", "jul", "julai", "जुलाई")),
    *(("august", "aug", "agast", "अगस्त"), ("september", "sep", "sept", "सितंबर", "सितम्बर")),
    *(("october", "oct", "aktubar", "अक्टूबर"), ("november", "nov", "navambar", "नवंबर", "नवम्बर")),
    ("december", "dec", "disambar", "दिसंबर", "दिसम्बर"),
)
_ALSO_WORDS: Final = ("may", "mai")
"""Names of a month that are words of another meaning, too: "may I …", and "I" in Hindi."""
_WEEKDAYS: Final = (
    *(("monday", "somvar", "सोमवार"), ("tuesday", "mangalvar", "मंगलवार"), ("wednesday", "budhvar", "बुधवार")),
    *(("thursday", "guruvar", "गुरुवार"), ("friday", "shukravar", "शुक्रवार"), ("saturday", "shanivar", "शनिवार")),
    ("sunday", "ravivar", "itvar", "रविवार"),
)
_MONTH_OF: Final = {numerals.tokens(name)[0]: number for number, names in enumerate(_MONTHS, 1) for name in names}
_WEEKDAY_OF: Final = {numerals.tokens(name)[0]: number for number, names in enumerate(_WEEKDAYS) for name in names}
_DAYS_AHEAD: Final = {"today": 0, "aaj": 0, "आज": 0, "tomorrow": 1, "kal": 1, "कल": 1, "parso": 2, "parson": 2, "परसों": 2}
_AHEAD_OF: Final = {numerals.tokens(name)[0]: days for name, days in _DAYS_AHEAD.items()}
_ORDINALS: Final = {
    ordinal: number
    for ordinal, _, number in (
        pair.partition("=")
        for pair in (
            *("first=one", "second=two", "third=three", "fifth=five", "eighth=eight", "ninth=nine", "twelfth=twelve"),
            *("twentieth=twenty", "thirtieth=thirty"),
        )
    )
}
_WRITTEN: Final = re.compile(r"\b([0-9]{1,4})[/.-]([0-9]{1,2})(?:[/.-]([0-9]{2,4}))?\b")


def agrees(text: str) -> bool | None:
    """Return True for a yes, False for a no, None if ``text`` is neither, or both."""
    said = words(text)
    yes, no = bool(_YES.intersection(said)), bool(_NO.intersection(said))
    if no and yes and not {"not", "nahi", "nahin", "नहीं"}.intersection(said):
        return None
    return False if no else True if yes else None


def only_agrees(text: str) -> bool:
    """Return True if ``text`` is nothing but a yes or a no."""
    said = words(text)
    return bool(said) and (_YES | _NO).issuperset(said)


def read(kind: Kind, text: str, lengths: tuple[int, int], today: date) -> str:
    """Return the value of ``kind`` that ``text`` says, as `argument` takes it; empty if it says none.

    ``lengths`` are the fewest and the most digits of a number. What follows a "no" or "sorry" goes before what was said first.
    """
    if kind == "yes_no":
        answer = agrees(text)
        return "" if answer is None else "yes" if answer else "no"
    if kind == "date":
        return next((found for part in _parts(text) if (found := _date(part, today))), "") or _date(text, today)
    if kind == "amount":
        return next((found for part in _parts(text) if (found := _amount(numerals.amount(part)))), "")
    candidates = [numerals.digits(part) for part in (*_parts(text), text)]
    return next((found for one in candidates if (found := fitting(kind, one, lengths))), "")


def pressed(kind: Kind, keys: str, lengths: tuple[int, int], today: date) -> str:
    """Return the value that ``keys`` mean: 1 is yes, 2 no; a date is DDMM or DDMMYYYY; * is the point of an amount."""
    if kind == "yes_no":
        return {"1": "yes", "2": "no"}.get(keys, "")
    if kind == "amount":
        return _amount(float(keys.replace("*", "."))) if re.fullmatch(r"[0-9]+(\*[0-9]{1,2})?", keys) else ""
    if not keys.isdigit():
        return ""
    if kind == "date":
        year = int(keys[4:]) if len(keys) == 8 else None
        return _day(int(keys[:2]), int(keys[2:4]), year, today) if len(keys) in (4, 8) else ""
    return fitting(kind, keys, lengths)


def fitting(kind: Kind, digits: str, lengths: tuple[int, int]) -> str:
    """Return ``digits`` as a number of this kind; empty if they are too few or too many."""
    fewest, most = lengths
    if kind == "phone" and len(digits) > most:
        for prefix in ("0091", "91", "0"):
            if digits.startswith(prefix) and fewest <= len(digits) - len(prefix) <= most:
                return digits[len(prefix) :]
    return digits if fewest <= len(digits) <= most else ""


def lengths_of(kind: Kind, told: Sequence[int]) -> tuple[int, int]:
    """Return the fewest and the most digits that a slot takes: ``told``, or what is usual for its kind."""
    if told:
        return told[0], told[-1]
    return (_PHONE, _PHONE) if kind == "phone" else (1, MOST_DIGITS)


def argument(kind: Kind, value: str) -> str | bool | float | int:
    """Return a value as a tool is given it: a bool for yes_no, a number for an amount, else a text; a date is YYYY-MM-DD."""
    if kind == "yes_no":
        return value == "yes"
    if kind == "amount":
        return float(value) if "." in value else int(value)
    return value


def spoken(kind: Kind, value: str, language: str) -> str:
    """Return a value as it is said: a number digit by digit, a date with the name of its month."""
    hindi = language.lower().partition("-")[0] == "hi"
    if kind == "number":
        return ", ".join(value)
    if kind == "phone":
        half = len(value) // 2
        return f"{' '.join(value[:half])}, {' '.join(value[half:])}"
    if kind == "date":
        day = date.fromisoformat(value)
        names = _MONTHS[day.month - 1]
        return f"{day.day} {next(name for name in names if not name.isascii()) if hindi else names[0].capitalize()} {day.year}"
    if kind == "yes_no":
        return {"yes": "हाँ", "no": "नहीं"}[value] if hindi else value
    return value


def _parts(text: str) -> Iterator[str]:
    """Yield what follows the last correction in ``text``, then what stands between earlier ones."""
    part: list[str] = []
    parts = [part]
    for token in numerals.tokens(text):
        if token in _CORRECTING:
            parts.append(part := [])
        else:
            part.append(token)
    yield from (" ".join(some) for some in reversed(parts) if some)


def _amount(found: float | None) -> str:
    if found is None or not 0 < found < 10**12:
        return ""
    return str(int(found)) if found == int(found) else f"{found:.2f}".rstrip("0")


def _date(text: str, today: date) -> str:
    if written := _WRITTEN.search(text):
        one, two, three = (int(part) if part else None for part in written.groups())
        assert one is not None
        assert two is not None
        if one > 31:
            return _day(three or 0, two, one, today)
        return _day(one, two, three + 2000 if three is not None and three < 100 else three, today)
    said = [_ORDINALS.get(token, token) for token in numerals.tokens(re.sub(r"(?i)\b([0-9]+)(st|nd|rd|th)\b", r"\1", text))]
    said = [
        token.removesuffix("th") if token.endswith("th") and numerals.has_number(token.removesuffix("th")) else token
        for token in said
    ]
    month = next((place for place, token in enumerate(said) if token in _MONTH_OF and _is_month(said, place)), None)
    if month is None:
        return _relative(said, today)
    pieces = numerals.pieces(" ".join(said[:month])) + numerals.pieces(" ".join(said[month + 1 :]))
    day = int(pieces[0]) if pieces and len(pieces[0]) <= 2 else 0
    year = "".join(pieces[1:])
    return _day(day, _MONTH_OF[said[month]], int(year) if len(year) == 4 else None, today)


def _is_month(said: Sequence[str], place: int) -> bool:
    """Return True if the name of a month is one: next to a day, where it is another word, too."""
    if said[place] not in _ALSO_WORDS:
        return True
    before, after = (
        next((token for token in some if token not in ("of", "the")), "") for some in (reversed(said[:place]), said[place + 1 :])
    )
    return numerals.has_number(before) or (said[place] == "may" and numerals.has_number(after))


def _relative(said: Sequence[str], today: date) -> str:
    days = [_AHEAD_OF[token] for token in said if token in _AHEAD_OF]
    if days:
        return (today + timedelta(days[0] + (1 if "after" in said and "day" in said else 0))).isoformat()
    weekday = next((_WEEKDAY_OF[token] for token in said if token in _WEEKDAY_OF), None)
    if weekday is not None:
        return (today + timedelta((weekday - today.weekday() - 1) % 7 + 1)).isoformat()
    return ""


def _day(day: int, month: int, year: int | None, today: date) -> str:
    """Return a date; without a year the one that is nearest to ``today``. Empty if there is no such day."""
    found = []
    for candidate in (year,) if year else (today.year - 1, today.year, today.year + 1):
        try:
            found.append(date(candidate, month, day))
        except ValueError:
            continue
    return min(found, key=lambda one: abs(one - today)).isoformat() if found else ""
