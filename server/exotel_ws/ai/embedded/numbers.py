"""Write numbers in words as people in India say them: amounts, dates, times, telephones and codes."""

import re
from typing import Final

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
_BY_NAME: Final = {month[:3].lower(): month for month in _MONTHS}
_SCALES: Final = {
    "k": "thousand",
    **dict.fromkeys(("l", "lac", "lacs", "lakh", "lakhs"), "lakh"),
    **dict.fromkeys(("cr", "crs", "crore", "crores"), "crore"),
    **dict.fromkeys(("m", "mn"), "million"),
    **dict.fromkeys(("b", "bn"), "billion"),
}
_CENTURY: Final = 70
"""Two digits of a year up to which it is one of this century."""
_INDIA: Final = re.compile(r"\+91(\d{5})(\d{5})")

NUMBER: Final = r"\d+(?:,\d+)*(?:\.\d+)?"
SCALE: Final = r"(?:lakhs?|lacs?|crores?|thousand|million|billion|L|Crs?|cr|[kK]|mn|M|bn|B)(?![A-Za-z\d])"
_RUPEE: Final = r"(?:₹|\b[Rr][Ss]\.?|\bINR)"
_SUM: Final = rf"{NUMBER}(?:\s?{SCALE})?"
MONEY: Final = (
    rf"(?:(?<![\w.-])[-−]\s?)? {_RUPEE} \s* [-−]? \s? {_SUM} (?:\s?[-–—]\s?(?:{_RUPEE}\s*)?{_SUM})? (?:\s*/-)? (?:/(?=[a-z]))?"
    rf"| (?:(?<![\w.-])[-−])? (?<![\w.,-]) {_SUM} \s? (?:₹|(?:Rs|INR)\b)"
)
"""Form of a sum in rupees, or of a range of two, for `re.VERBOSE`."""
_IN_MONEY: Final = re.compile(rf"({NUMBER})\s?({SCALE})?")
_MONTH: Final = "|".join(rf"{month[:3]}(?:t|{month[3:]})?" if month[3:] else month for month in _MONTHS)
NAMED_DATE: Final = (
    rf"\b\d{{1,2}}(?:st|nd|rd|th)?[-/.\s]?(?i:{_MONTH})\b\.?(?:[-/,\s]{{1,2}}(?:\d{{4}}|(?<=[-/])\d\d)\b)?(?![-/]\d)"
)
"""Form of a date whose month is a word."""
_NAMED_DATE: Final = re.compile(r"((\d+)(?:st|nd|rd|th)?)\W?([A-Za-z]{3})[A-Za-z]*\W*(\d+)?")


def rupees(text: str) -> str:
    """Return a sum in words, which may be a range, below zero, or in thousand, lakh and crore; ``text`` is `MONEY`."""
    sums = [(number.replace(",", ""), _scale(scale)) for number, scale in _IN_MONEY.findall(text)]
    minus = "minus " if re.match(r"\D*[-−]", text) else ""
    per = " per " if text.endswith("/") else ""
    if len(sums) > 1:
        sums[0] = (sums[0][0], sums[0][1] or sums[1][1])
        return f"{minus}{' to '.join(_scaled(*each) for each in sums)} rupees{per}"
    ((number, scale),) = sums
    return f"{minus}{f'{_scaled(number, scale)} rupees' if scale else _rupees_and_paise(number)}{per}"


def scaled(text: str) -> str:
    """Return a number with its scale in words; ``text`` is `NUMBER` and `SCALE`."""
    found = _IN_MONEY.fullmatch(text)
    assert found is not None, text
    return _scaled(found[1].replace(",", ""), _scale(found[2]))


def _scale(said: str) -> str:
    return _SCALES.get(said.lower(), said)


def _scaled(number: str, scale: str) -> str:
    whole, point, rest = number.partition(".")
    rest = rest.rstrip("0") if scale else rest
    said = f"{amount(int(whole))}{f'{point}{rest}' if rest else ''}"
    return f"{said} {scale}" if scale else said


def _rupees_and_paise(number: str) -> str:
    whole, _, rest = number.partition(".")
    if len(rest) > 2:
        return f"{_scaled(number, '')} rupees"
    rupee, paise = int(whole), int((rest or "0").ljust(2, "0"))
    said = f"{amount(rupee)} {'rupee' if rupee == 1 else 'rupees'}"
    if not paise:
        return said
    return f"{said} and {paise} paise" if rupee else f"{paise} paise"


def amount(number: int) -> str:
    """Return a number in crores and lakhs; the voice itself reads a rest below a lakh well, with a comma in it."""
    crores, rest = divmod(number, 10_000_000)
    lakhs, rest = divmod(rest, 100_000)
    parts = [f"{crores:,} crore" if crores else "", f"{lakhs} lakh" if lakhs else ""]
    if rest or not number:
        parts.append(f"{rest:,}")
    return " ".join(part for part in parts if part)


def date(text: str) -> str:
    """Return a date of numbers in words; ``text`` as it is if it is none. The day comes first, unless it can't be one.

    A year of four digits may stand first, or none at all.
    """
    numbers = re.findall(r"\d+", text)
    if len(numbers[0]) == 4:
        numbers.reverse()
    day, at = int(numbers[0]), int(numbers[1])
    if at > 12:
        day, at = at, day
    if not (1 <= at <= 12 and 1 <= day <= 31):
        return text
    return " ".join([str(day), _MONTHS[at - 1], *map(_year, numbers[2:])])


def named_date(text: str) -> str:
    """Return a date whose month is a word with the month in full; ``text`` is `NAMED_DATE`."""
    found = _NAMED_DATE.match(text)
    if found is None or not 1 <= int(found[2]) <= 31:
        return text
    return " ".join([found[1].lstrip("0"), month(found[3]), *([_year(found[4])] if found[4] else [])])


def month(text: str) -> str:
    """Return the month in full of which ``text`` has the first three letters, and perhaps more."""
    return _BY_NAME[text[:3].lower()]


def _year(digits: str) -> str:
    return digits if len(digits) == 4 else f"{'20' if int(digits) < _CENTURY else '19'}{int(digits):02}"


def times(text: str) -> str:
    """Return times of the day, or a span of two, as the voice reads them: with a colon, and "to" in between."""
    text = re.sub(r"(\d)\.(\d\d)", r"\1:\2", text)
    return re.sub(r"\s*[-–—]\s*", " to ", text)


def telephone(text: str) -> str:
    """Return a telephone number as digits, with pauses between its groups; leave a few numbers in a row as they are."""
    groups = re.findall(r"\d+", _INDIA.sub(r"+91 \1 \2", text))
    long = text[0] in "+(" or len("".join(groups)) >= 10 or len(groups[0]) >= 5
    if not long or max(map(len, groups)) < 3:
        return text
    return ("plus " if text.startswith("+") else "") + ", ".join(" ".join(group) for group in groups)


def code(text: str) -> str:
    """Return the code of an order or a ticket with letters one by one, unless they are a word."""
    if re.fullmatch(r"\d{1,2}[AP]M|[A-Z]?\d[A-Z]?", text):
        return text
    parts = re.findall(r"[A-Z]+|\d+|-", text)
    return " ".join("," if part == "-" else part if part.isalpha() and len(part) > 4 else " ".join(part) for part in parts)
