"""Make the picture of the trace: the ladder of docs/trace.jsonl, a call of a lab host, as an SVG without outside fonts.

$ python -m tests.unit.tools.trace_picture docs/trace.svg
"""

import asyncio
import re
import sys
from pathlib import Path
from typing import Final

from exotelctl.trace.app import TraceApp
from exotelctl.trace.page import View
from exotelctl.trace.verb import load

RECORDED: Final = Path(__file__).resolve().parents[3] / "docs/trace.jsonl"
SIZE: Final = (100, 26)
_FROM_OUTSIDE: Final = re.compile(r"@font-face\s*\{.*?\}\s*|<!--.*?-->\s*", re.DOTALL)


async def picture() -> str:
    """Return the SVG, which fetches nothing: its letters are of the reader's own monospaced font."""
    app = TraceApp(View(load(RECORDED), "docs/trace.jsonl"), at_s=0.0)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("n")
        await pilot.pause()
        exported = app.export_screenshot(title="exotelctl trace", simplify=True)
    inside = _FROM_OUTSIDE.sub("", exported).replace("Fira Code, monospace", "monospace")
    # Spaces at the beginning of a text are columns here; some renderers drop them unless told to keep them.
    return inside.replace("<svg ", '<svg xml:space="preserve" ', 1)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(asyncio.run(picture()))
