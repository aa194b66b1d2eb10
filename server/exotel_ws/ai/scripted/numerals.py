"""Read numbers as they are said in English and Hindi, and as a recogniser writes them: "double five", "for to one", "4-8 21"."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

_ENGLISH: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_ENGLISH_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_DEVANAGARI: Final = """
शून्य एक दो तीन चार पांच छह सात आठ नौ दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस
बीस इक्कीस बाईस तेईस चौबीस पच्चीस छब्बीस सत्ताईस अट्ठाईस उनतीस तीस इकतीस बत्तीस तैंतीस चौंतीस पैंतीस छत्तीस सैंतीस अड़तीस उनतालीस
चालीस इकतालीस बयालीस तैंतालीस चौवालीस पैंतालीस छियालीस सैंतालीस अड़तालीस उनचास पचास इक्यावन बावन तिरपन चौवन पचपन छप्पन सत्तावन
अट्ठावन उनसठ साठ इकसठ बासठ तिरसठ चौंसठ पैंसठ छियासठ सड़सठ अड़सठ उनहत्तर सत्तर इकहत्तर बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर
सतहत्तर अठहत्तर उन्यासी अस्सी इक्यासी बयासी तिरासी चौरासी पचासी छियासी सत्तासी अट्ठासी नवासी नब्बे इक्यानवे बानवे तिरानवे चौरानवे
पचानवे छियानवे सत्तानवे अट्ठानवे निन्यानवे
"""
_ROMAN: Final = """
shunya=0 sifar=0 ek=1 teen=3 chaar=4 paanch=5 panch=5 paach=5 chhe=6 chhah=6 chhai=6 saat=7 aath=8 aat=8 nau=9 das=10
gyarah=11 barah=12 baarah=12 terah=13 chaudah=14 pandrah=15 solah=16 satrah=17 atharah=18 unnis=19 bees=20 pachis=25
pachees=25 tees=30 chalis=40 chaalis=40 pachas=50 pachaas=50 saath=60 sattar=70 assi=80 nabbe=90
"""
_SPELLINGS: Final = """
पाँच=5 छः=6 छे=6 छ=6 पन्द्रह=15 पच्चास=50 ज़ीरो=0 जीरो=0
"""
_AMBIGUOUS: Final = """
oh=0 o=0 nought=0 naught=0 nil=0 to=2 too=2 tree=3 free=3 for=4 fore=4 won=1 ate=8 do=2 tin=3 char=4 sat=7 che=6 fife=5
sex=6 sick=6 hero=0 wan=1 hive=5 heaven=7 famine=7 fate=8 hate=8 line=9 mine=9 ninth=9 niner=9
"""
"""Words with another meaning too, as the embedded recogniser writes digits: they count only beside a number."""
_SCALES: Final = """
hundred=100 thousand=1000 lakh=100000 lakhs=100000 lac=100000 crore=10000000 crores=10000000 million=1000000 k=1000
sau=100 hazaar=1000 hazar=1000 karod=10000000 सौ=100 हजार=1000 हज़ार=1000 लाख=100000 करोड़=10000000
"""
_TIMES: Final = """
double=2 triple=3 treble=3 dabal=2 tripal=3 डबल=2 ट्रिपल=3
"""
_HALVES: Final = """
dedh=1.5 डेढ़=1.5 dhai=2.5 ढाई=2.5
"""
_ADDING: Final = """
sava=0.25 सवा=0.25 sadhe=0.5 saadhe=0.5 साढ़े=0.5 paune=-0.25 पौने=-0.25
"""
_WORD: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?|(?:[^\W\d_]|[\u0900-\u0963\u0970-\u097f])+")


def _plain(word: str) -> str:
    """Return a word with its letters in one form: a recogniser may write ड़ in two."""
    return unicodedata.normalize("NFKD", word.casefold())


def _tokens_of(text: str) -> tuple[str, ...]:
    return tuple(_plain(word) for word in text.split())


def _table(text: str) -> dict[str, float]:
    """Return the values of words that are written as ``word=value``."""
    return {_plain(word): float(value) for word, _, value in (pair.partition("=") for pair in text.split())}


_ALSO_WORDS: Final = {word: int(value) for word, value in _table(_AMBIGUOUS).items()}
_NUMBERS: Final = (
    {word: number for number, word in enumerate(_ENGLISH)}
    | {word: 10 * number for number, word in enumerate(_ENGLISH_TENS, 2)}
    | {word: number for number, word in enumerate(_tokens_of(_DEVANAGARI))}
    | {word: int(value) for word, value in _table(_ROMAN + _SPELLINGS).items()}
)
_SCALE_WORDS: Final = {word: int(value) for word, value in _table(_SCALES).items()}
_TIMES_WORDS: Final = {word: int(value) for word, value in _table(_TIMES).items()}
_FRACTIONS: Final = _table(_HALVES + _ADDING)
_PRECEDING: Final = frozenset(_table(_ADDING))
_LEADING: Final = frozenset(_tokens_of("is number no it its sorry yes hai nahi है नंबर नहीं हाँ"))
_CLOSING: Final = frozenset(_tokens_of("please ok okay sir madam ji hai है जी and"))
"""Words that may stand beside a number in a sentence that gives one."""
_TENS: Final = frozenset(range(20, 100, 10))


class _Token(NamedTuple):
    word: str
    number: int | None
    digits: str
    """Digits as they were written; empty for a word."""


def tokens(text: str) -> list[str]:
    """Return the words and the numbers in digits of ``text``, in one form; a comma within a number is none."""
    one = unicodedata.normalize("NFKC", text)
    one = "".join(str(unicodedata.digit(letter)) if letter.isdecimal() else letter for letter in one)
    one = re.sub(r"(?<=[0-9]),(?=[0-9]{2,3}(\D|$))", "", one)
    return [_plain(found) for found in _WORD.findall(one)]


def digits(text: str) -> str:
    """Return the digits that are said in ``text``, in order: "double five, twenty one" is 5521. Empty if there are none."""
    return "".join(pieces(text))


def pieces(text: str) -> list[str]:
    """Return the numbers that ``text`` says, each in digits: "fifth" is none, "twenty twenty six" is 20 and 26."""
    return _chunks(_read(text))


def amount(text: str) -> float | None:
    """Return the number that ``text`` says as a whole: "one lakh twenty thousand", "डेढ़ सौ", "1,500.50"; None if none."""
    read = _read(text)
    if not read:
        return None
    total = part = 0.0
    adding, found = 0.0, False
    for token in read:
        if token.word in _FRACTIONS:
            value = _FRACTIONS[token.word]
            adding, part = (value, part) if token.word in _PRECEDING else (adding, part + value)
            found |= token.word not in _PRECEDING
        elif token.word in _SCALE_WORDS:
            scale = _SCALE_WORDS[token.word]
            part = (part or 1) * scale
            if scale > 100:
                total, part = total + part, 0.0
            found = True
        elif token.word not in _TIMES_WORDS:
            value = float(token.word) if token.digits else float(token.number or 0)
            part, adding, found = part + value + adding, 0.0, True
    return total + part if found else None


def has_number(text: str) -> bool:
    """Return True if ``text`` says a number in any way."""
    return bool(_read(text))


def _read(text: str) -> list[_Token]:
    """Return the tokens of ``text`` that are numbers.

    Words with another meaning too are, where a number has to be: "for to one", but neither word of "4821 for my wife".
    """
    words = tokens(text)
    kept: list[str] = []
    place = 0
    while place < len(words):
        end = place
        while end < len(words) and (_sure(words[end]) or words[end] in _ALSO_WORDS):
            end += 1
        kept += _trimmed(words, place, end)
        place = end + 1
    return [_Token(word, _NUMBERS.get(word, _ALSO_WORDS.get(word)), word if word[0].isdigit() else "") for word in kept]


def _trimmed(words: Sequence[str], begin: int, end: int) -> Sequence[str]:
    """Return the words from ``begin`` to ``end``, without those at either side that belong to the rest of the sentence."""
    sure = [place for place in range(begin, end) if _sure(words[place])]
    if not sure:
        return ()
    first, last = sure[0], sure[-1]
    written = words[first].isdigit() and len(words[first]) > 1
    leads = not written and (begin == 0 or words[begin - 1] in _LEADING)
    closes = end == len(words) or words[end] in _CLOSING
    return words[begin if leads else first : end if closes else last + 1]


def _sure(word: str) -> bool:
    return word[0].isdigit() or word in _NUMBERS or word in _SCALE_WORDS or word in _TIMES_WORDS or word in _FRACTIONS


def _chunks(read: Sequence[_Token]) -> list[str]:
    made: list[str] = []
    times, place = 1, 0
    while place < len(read):
        token = read[place]
        place += 1
        if token.word in _TIMES_WORDS:
            times = _TIMES_WORDS[token.word]
            continue
        if token.digits:
            piece = token.digits.replace(".", "")
        elif token.number is None:
            continue
        else:
            value, place = _compound(token.number, read, place)
            piece = str(value)
        made.append(piece[0] * times + piece[1:])
        times = 1
    return made


def _compound(number: int, read: Sequence[_Token], place: int) -> tuple[int, int]:
    """Return the number that begins before ``place`` and the place after it: twenty one, four hundred twelve, five thousand."""
    total = number
    if number in _TENS and place < len(read) and 0 < (read[place].number or 0) < 10 and not read[place].digits:
        total, place = number + (read[place].number or 0), place + 1
    while place < len(read) and read[place].word in _SCALE_WORDS:
        scale, place = _SCALE_WORDS[read[place].word], place + 1
        total *= scale
        if place < len(read) and read[place].number is not None and not read[place].digits:
            rest, after = _compound(read[place].number or 0, read, place + 1)
            if 0 < rest < scale:
                total, place = total + rest, after
    return total, place
