"""The picture in the docs is that of the present program, and needs nothing from outside."""

import asyncio
import html
import re
from pathlib import Path

from tests.unit.tools.trace_picture import RECORDED, picture

PICTURE = RECORDED.with_name("trace.svg")


def _words(svg: str) -> list[str]:
    """Return every text of the picture, in order."""
    return [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def test_it_is_up_to_date() -> None:
    again = "made again by: python -m tests.unit.tools.trace_picture docs/trace.svg"
    assert _words(PICTURE.read_text()) == _words(asyncio.run(picture())), again


def test_it_fetches_nothing() -> None:
    svg = PICTURE.read_text()
    assert set(re.findall(r"https?://[^\"' )]+", svg)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@font-face|url\((?!#)|<image|<script|href=", svg)


def test_the_recorded_call_is_whole_and_of_nobody() -> None:
    text = Path(RECORDED).read_text()
    assert '"complete":true' in text
    assert set(re.findall(r'from\\":\\"(\d+)', text)) == {"09876543210"}, "the made-up number of the simulated phone"
