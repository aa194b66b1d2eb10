"""Write text as the embedded voice can say it: numbers as people in India say them, and no signs that it has no sound for.

The voice itself reads times, plain numbers, dollars, units and ordinals; this module writes out what it gets wrong.
"""

import re
import unicodedata
from typing import Final

from exotel_ws.ai.embedded import numbers

MOST: Final = 250
"""Most characters of a piece that is spoken at once: about 15 s of speech."""

_AT_ONCE: Final = 2000
"""Most characters that are read together: reading numbers takes time by their square, and holds up every call of the worker."""
_PART: Final = re.compile(rf"\S.{{0,{_AT_ONCE - 1}}}(?!\S)|\S{{{_AT_ONCE}}}", re.DOTALL)

_PUNCTUATION: Final = frozenset(".,;:!?'\"()-–—…/&%+@#$£€=°")
_QUOTES: Final = str.maketrans("‘’“”", "''\"\"")
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_MARKUP: Final = re.compile(r"[*_`~>|]+|#+(?!\d)")
_CLAUSE_END: Final = re.compile(r"(?<=[,;:—])\s+")

_UNITS: Final = r"rupees|paise|days?|hours?|minutes?|items?|units?|points?|years?|people|kilometers?|km|kg"
_REWRITTEN: Final = re.compile(
    r"""
    (?P<email> [\w.+-]+ @ [\w-]+ (?:\.[\w-]+)+ )
  | (?P<address> (?:https?://|www\.) [^\s,;]* [^\s,;.!?] )
  | (?P<rupees> MONEY )
  | (?P<instant> \b(?P<on>\d{4}-\d\d-\d\d)[T\ ](?P<at>\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?(?!\w) )
  | (?P<as_it_is> \b\d{4}-\d\d-\d\d\b )
  | (?P<date> \b\d{1,2}(?P<by>[/.-])\d{1,2}(?P=by)\d{4}\b | \b\d{4}(?P<with>[/.])\d{1,2}(?P=with)\d{1,2}\b
            | \b\d{1,2}/\d{1,2}/\d\d\b(?!/) | (?<![\d.-])\d\d(?P<of>[.-])\d\d(?P=of)\d\d\b(?![.-]\d)
            | (?<![/\d])(?:0\d/\d{1,2}|\d{1,2}/0\d)(?![/\d]) )
  | (?P<named_date> NAMED_DATE )
  | (?P<month> \b(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?(?=\s\d) )
  | (?P<times> \b\d{1,2}(?:[:.]\d\d)?\s?(?:[ap]\.?m\.?|[AP]M)?\s?[-–—]\s?\d{1,2}(?:[:.]\d\d)?\s?(?:[ap]\.?m\b|[AP]M\b)
             | \b\d{1,2}:\d\d\s?[-–—]\s?\d{1,2}:\d\d\b | \b\d{1,2}\.\d\d(?=\s?(?:[ap]\.?m\b|[AP]M\b)) | \b\d{1,2}:\d\d\b )
  | (?P<always> \b24\s?[x/]\s?7\b )
  | (?P<percent> % \s?[-–—]\s? (?=\d) )
  | (?P<minus> (?<![\w.,:/)%-]) [-−] (?=\d) )
  | (?P<scaled> (?<![\w.,]) {NUMBER}\s?(?:k|(?<=\d\d)K|Crs?|cr|lacs?)\b )
  | (?P<indian> \b\d{1,2} (?:,\d\d)+ ,\d{3}\b )
  | (?P<grouped> \b\d{1,3} (?:,\d{3})+ (?:\.\d+)? \b | \b\d{1,4}\.\d+ )
  | (?P<telephone> \+\d{7,15}\b | (?:\+\d{1,3}\s?)?\(\d{2,5}\)\s?\d[\d -]{4,14}\d\b | (?:\+|\b) \d+ (?:[ -]\d+)+ \b )
  | (?P<code> \b (?=[A-Z-]*\d) (?=[\d-]*[A-Z]) [A-Z\d]+ (?:-[A-Z\d]+)* \b | \b[a-z]{1,3}-?\d{3,}\b )
  | (?P<named> \b (?i:otp|pin|cvv|code|passcode|password|order|ticket|token|booking|invoice|account|card|ending|reference|ref|id)
               (?:\s(?:in|with|is|number|no\.?|ending|code))* [\s:\#=(-]+ (?P<number>\d{3,4})\b (?![.,]\d|\s?(?:%|UNITS)) )
  | (?P<before> \b\d{3,8} (?=\s(?:is|as)\s(?:your|the|my)\s(?:[\w-]+\s){0,2}?(?i:otp|pin|code|passcode|password)\b) )
  | (?P<digits> \b (?: 0\d+ | \d{5,} ) \b )
    """.replace("MONEY", numbers.MONEY)
    .replace("{NUMBER}", numbers.NUMBER)
    .replace("NAMED_DATE", numbers.NAMED_DATE)
    .replace("UNITS", _UNITS),
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
    text = _REWRITTEN.sub(_rewritten, " ".join(_MARKUP.sub(" ", text).split()))
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
            return _apart(found, numbers.rupees(text))
        case "instant":
            return f"{found['on']} {found['at']}"
        case "date":
            return numbers.date(text)
        case "named_date":
            return numbers.named_date(text)
        case "month":
            return numbers.month(text)
        case "times":
            return numbers.times(text)
        case "always":
            return "24 7"
        case "percent":
            return "% to "
        case "minus":
            return "minus "
        case "scaled":
            return numbers.scaled(text)
        case "indian":
            return numbers.amount(int(text.replace(",", "")))
        case "telephone":
            return numbers.telephone(text)
        case "code":
            return numbers.code(text.upper())
        case "named":
            return text.removesuffix(found["number"]) + " ".join(found["number"])
        case "before" | "digits":
            return " ".join(text)
    return text


def _apart(found: re.Match[str], said: str) -> str:
    """Return ``said`` with a blank behind it if a letter or a digit follows in the text."""
    return said if not found.string[found.end() : found.end() + 1].isalnum() else f"{said} "


def _spelled_address(text: str) -> str:
    for sign, word in ((".", "dot"), ("/", "slash"), ("-", "dash"), ("_", "underscore"), ("?", "question mark"), ("=", "equals")):
        text = text.replace(sign, f" {word} ")
    return re.sub(r"\d{3,}", lambda digits: " ".join(digits[0]), text)
