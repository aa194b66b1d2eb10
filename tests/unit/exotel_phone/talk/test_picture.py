"""The picture: its parts are in their places, by the colour of the pixels."""

import pytest

pytest.importorskip("PIL", reason="Pillow comes with the ai extra")

from typing import Any

from exotel_phone.talk import picture
from exotel_phone.talk.call import Call
from exotel_phone.talk.playback import Clear, Piece, Utterance
from PIL import Image, ImageColor

from .bot_calls import BEGINS, RATE, call, pressed, said, spoken, tone

CALLER_Y = picture.CALLER_LANE[0] + 2
BOT_Y = picture.BOT_LANE[0] + 2
"""Row of the band, above the waveform, at the upper edge of the lanes."""


def colour(image: Image.Image, the_call: Call, at_s: float, y: int) -> Any:
    scale = (image.width - picture.LEFT - 36) / the_call.at(the_call.end.at)
    return image.getpixel((round(picture.LEFT + at_s * scale), y))


def rgb(name: str) -> Any:
    return ImageColor.getrgb(name)


def has(image: Image.Image, name: str, lane: tuple[int, int]) -> bool:
    area = image.crop((0, lane[0], image.width, lane[1]))
    return rgb(name) in {found for _count, found in area.getcolors(maxcolors=1 << 24)}


def test_turns_are_bands_and_waveforms_where_they_were() -> None:
    the_call = call()
    image = picture.draw(the_call, "ws://h")
    bands = {
        at_s: (colour(image, the_call, at_s, CALLER_Y), colour(image, the_call, at_s, BOT_Y)) for at_s in (0.5, 1.5, 2.5, 4.1)
    }
    paper, caller, bot = rgb(picture.PAPER), rgb(picture.CALLER_BAND), rgb(picture.BOT_BAND)
    assert bands == {0.5: (paper, bot), 1.5: (paper, paper), 2.5: (caller, paper), 4.1: (paper, bot)}
    assert has(image, picture.CALLER, picture.CALLER_LANE)
    assert has(image, picture.BOT, picture.BOT_LANE)


def test_what_was_cut_is_drawn_as_unheard() -> None:
    the_call = call(
        said=[said("Stop.", 2.0, over_bot=True)],
        spoken=[spoken("From nine", 1.0, tone(1.3), cut=tone(0.7))],
        clears=[Clear(BEGINS + 2.3, 0.7)],
    )
    image = picture.draw(the_call, "ws://h")
    assert colour(image, the_call, 1.5, BOT_Y) == rgb(picture.BOT_BAND)
    assert colour(image, the_call, 2.7, BOT_Y) == rgb(picture.CUT_BAND)
    assert colour(image, the_call, 2.3, BOT_Y) == rgb(picture.ALARM)


def test_gaps_are_seen() -> None:
    utterance = Utterance(RATE, [Piece(BEGINS + 1, bytearray(tone(0.5))), Piece(BEGINS + 1.7, bytearray(tone(0.5)))])
    the_call = call(said=[], spoken=[utterance])
    image = picture.draw(the_call, "ws://h")
    assert colour(image, the_call, 1.6, BOT_Y) == rgb(picture.GAP)


def test_latencies_are_marked() -> None:
    assert [(span.name, round(span.begins, 2), round(span.ends, 2)) for span in picture.spans(call())] == [
        ("greeting", 0, 0.1),
        ("", 3.0, 3.5),
    ]
    barged = call(said=[said("Stop.", 0.5, over_bot=True)], clears=[Clear(BEGINS + 0.75, 0.3)])
    assert ("clear", 0.5, 0.75) in [(span.name, round(span.begins, 2), round(span.ends, 2)) for span in picture.spans(barged)]


@pytest.mark.parametrize(
    "changed",
    [
        {"said": [], "spoken": []},
        {"said": [pressed("12#", 0.0)]},
        {"spoken": [spoken("Donaudampfschifffahrtsgesellschaft" * 20, 0.1, tone(0.3)), spoken("x" * 900, 0.5, tone(0.3))]},
        {"spoken": [spoken("नमस्ते → …", 5.9, tone(0.1))]},
        {"spoken": [spoken("", 0.1, b"", cut=tone(0.5))]},
    ],
    ids=["silence", "keys", "long words", "other letters", "all cut"],
)
def test_every_call_can_be_drawn(changed: dict[str, Any]) -> None:
    image = picture.draw(call(**changed), "ws://h\x1b")
    assert image.width >= 1200


def test_an_hour_is_not_wider_than_a_viewer_can_take() -> None:
    end = call().end
    hour = call(end=type(end)(BEGINS + 3600, end.by_bot, end.code, end.how, 0.0))
    assert picture.draw(hour, "ws://h").width == 8000
