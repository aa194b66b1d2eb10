"""Write text as the embedded voice can say it: numbers as people in India say them, and no signs that it has no sound for.

The voice itself reads times, plain numbers, dollars, units and ordinals; this module writes out what it gets wrong.
"""

import re
import unicodedata
from typing import Final

MOST: Final = 250
"""Most characters of a piece that is spoken at once: about 15 s of speech."""

_AT_ONCE: Final = 2000
"""Most characters that are read together: reading numbers takes time by their square, and holds up every call of the worker."""
_PART: Final = re.compile(rf"\S.{{0,{_AT_ONCE - 1}}}(?!\S)|\S{{{_AT_ONCE}}}", re.DOTALL)

_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_PUNCTUATION: Final = frozenset(".,;:!?'\"()-–—…/&%+@#$£€=°")
_QUOTES: Final = str.maketrans("‘’“”", "''\"\"")
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_MARKUP: Final = re.compile(r"[*_`~#>|]+(?!\d)")
_CLAUSE_END: Final = re.compile(r"(?<=[,;:—])\s+")

_REWRITTEN: Final = re.compile(
    r"""
    (?P<email> [\w.+-]+ @ [\w-]+ (?:\.[\w-]+)+ )
  | (?P<address> (?:https?://|www\.) [^\s,;]* [^\s,;.!?] )
  | (?P<rupees> (?:₹|\bRs\b\.?|\bINR\b) \s* (?P<whole>\d[\d,]*) (?:\.(?P<paise>\d{1,2})(?!\d))?
                (?:\s*(?P<scale>lakhs?|crores?|thousand|million))? (?:\s*/-)? )
  | (?P<as_it_is> \b\d{4}-\d\d-\d\d\b | \b\d{1,2}:\d\d\b )
  | (?P<date> \b(?P<day>\d{1,2}) [/.-] (?P<month>\d{1,2}) [/.-] (?P<year>\d{4})\b )
  | (?P<always> \b24\s?[x/]\s?7\b )
  | (?P<indian> \b\d{1,2} (?:,\d\d)+ ,\d{3}\b )
  | (?P<grouped> \b\d{1,3} (?:,\d{3})+ (?:\.\d+)? \b | \b\d{1,4}\.\d+ )
  | (?P<telephone> (?:\+|\b) \d+ (?:[ -]\d+)+ \b )
  | (?P<code> \b (?=[A-Z-]*\d) (?=[\d-]*[A-Z]) [A-Z\d]+ (?:-[A-Z\d]+)* \b )
  | (?P<named> \b (?:OTP|PIN|(?i:code|order|ticket|account|ending|reference|id)) (?:\s(?:in|with|is|number|no\.))*
               [\s:#]+ (?P<number>\d{3,4})\b (?!\s?%) )
  | (?P<digits> \b (?: 0\d+ | \d{5,} ) \b )
    """,
    re.VERBOSE,
)


def parts(text: str) -> list[str]:
    """Return ``text`` in parts that are short enough for `speakable`, cut between words if possible."""
    return _PART.findall(text)


def sayable(text: str) -> bool:
    """Return True if the voice has sounds for ``text``: none of its letters is of another alphabet than the Latin one."""
    return all(
        unicodedata.name(letter, "").startswith("LATIN")
        for letter in text
        if unicodedata.category(letter)[0] in "LM" and unicodedata.combining(letter) == 0
    )


def speakable(text: str) -> str:
    """Return ``text`` in words and numbers that the voice reads well; empty if there is nothing to say."""
    text = _LINK.sub(r"\1", unicodedata.normalize("NFKC", text).translate(_QUOTES))
    text = _REWRITTEN.sub(_rewritten, _MARKUP.sub(" ", text))
    text = "".join(map(_sayable, unicodedata.normalize("NFKD", text)))
    text = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(text.split()))
    return text if any(letter.isalnum() for letter in text) else ""


def bounded(sentence: str) -> list[str]:
    """Return ``sentence`` in pieces of at most `MOST` characters, cut between clauses if possible."""
    pieces = [""]
    for clause in _CLAUSE_END.split(sentence) if len(sentence) > MOST else [sentence]:
        for bit in _bits(clause):
            if len(pieces[-1]) + 1 + len(bit) > MOST:
                pieces.append("")
            pieces[-1] = f"{pieces[-1]} {bit}".lstrip()
    return [piece for piece in pieces if any(letter.isalnum() for letter in piece)]


def _bits(clause: str) -> list[str]:
    """Return a clause that fits as it is; else its words, with longer ones cut."""
    if len(clause) <= MOST:
        return [clause]
    return [word[i : i + MOST] for word in clause.split() for i in range(0, len(word), MOST)]


def _sayable(letter: str) -> str:
    if letter in _PUNCTUATION or (letter.isascii() and letter.isalnum()):
        return letter
    kind = unicodedata.category(letter)
    if kind == "Mn":
        return ""
    return letter if kind[0] == "L" and unicodedata.name(letter, "").startswith("LATIN") else " "


def _rewritten(found: re.Match[str]) -> str:
    text = found[0]
    match found.lastgroup:
        case "email":
            return _spelled_address(text.replace("@", " at "))
        case "address":
            return _spelled_address(re.sub(r"^(https?://)?(www\.)?|/$", "", text))
        case "rupees":
            return _rupees(found["whole"], found["paise"], found["scale"])
        case "date":
            return _date(text, int(found["day"]), int(found["month"]), found["year"])
        case "always":
            return "24 7"
        case "indian":
            return _amount(int(text.replace(",", "")))
        case "telephone":
            return _telephone(text)
        case "code":
            return _code(text)
        case "named":
            return text.removesuffix(found["number"]) + " ".join(found["number"])
        case "digits":
            return " ".join(text)
    return text


def _spelled_address(text: str) -> str:
    for sign, word in ((".", "dot"), ("/", "slash"), ("-", "dash"), ("_", "underscore"), ("?", "question mark"), ("=", "equals")):
        text = text.replace(sign, f" {word} ")
    return re.sub(r"\d{3,}", lambda digits: " ".join(digits[0]), text)


def _rupees(whole: str, paise: str | None, scale: str | None) -> str:
    number = int(whole.replace(",", ""))
    if scale:
        return f"{number}{f'.{paise}' if paise else ''} {scale} rupees"
    small = int((paise or "0").ljust(2, "0"))
    said = f"{_amount(number)} {'rupee' if number == 1 else 'rupees'}"
    return f"{said} and {small} paise" if small else said


def _amount(number: int) -> str:
    """Return a number in crores and lakhs; the voice itself reads a rest below a lakh well, with a comma in it."""
    crores, rest = divmod(number, 10_000_000)
    lakhs, rest = divmod(rest, 100_000)
    parts = [f"{crores:,} crore" if crores else "", f"{lakhs} lakh" if lakhs else ""]
    if rest or not number:
        parts.append(f"{rest:,}")
    return " ".join(part for part in parts if part)


def _date(text: str, day: int, month: int, year: str) -> str:
    """Return a date in words. The day comes first, unless it can't be one."""
    if month > 12:
        day, month = month, day
    return f"{day} {_MONTHS[month - 1]} {year}" if 1 <= month <= 12 and 1 <= day <= 31 else text


def _telephone(text: str) -> str:
    """Return a telephone number as digits, with pauses between its groups; leave a few numbers in a row as they are."""
    groups = re.findall(r"\d+", text)
    long = text.startswith("+") or len("".join(groups)) >= 10 or len(groups[0]) >= 5
    if not long or max(map(len, groups)) < 3:
        return text
    return ("plus " if text.startswith("+") else "") + ", ".join(" ".join(group) for group in groups)


def _code(text: str) -> str:
    """Return the code of an order or a ticket with letters one by one, unless they are a word."""
    if re.fullmatch(r"\d{1,2}[AP]M|[A-Z]?\d[A-Z]?", text):
        return text
    parts = re.findall(r"[A-Z]+|\d+|-", text)
    return " ".join("," if part == "-" else part if part.isalpha() and len(part) > 4 else " ".join(part) for part in parts)
