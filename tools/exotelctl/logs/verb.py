"""``exotelctl logs``: one call's story, the last lines, or what is logged from now on.

11-25 10:28:30.554 +0530  [conn_5369143e563a] 🔌 WebSocket connected
11-25 10:28:30.594 +0530  [conn_5369143e563a] 🚀 START EVENT
11-25 10:28:30.594 +0530  [conn_5369143e563a]    From: 098•••••210 → To: 080•••••345
"""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TextIO

from exotel_phone.exits import Exit, UsageFault
from exotel_phone.output import json_text
from exotel_phone.text import printable

from exotelctl.journal import Entry
from exotelctl.logs import lines, merge, story
from exotelctl.logs.lines import Style
from exotelctl.logs.question import ask
from exotelctl.logs.story import Story
from exotelctl.options import LogsOptions


def run(options: LogsOptions) -> Exit:
    """Print the answer as it comes. Return PROBLEM for a call that the journal does not know. Raises Refusal and UsageFault."""
    if options.merge:
        return _merge(options, options.merge)
    question = ask(options)
    with _quiet_end():
        found = story.follow(question) if question.follow else story.look_back(question)
        entries, worker = _with_worker(found.entries, question)
        if options.json:
            journal = {"kind": "journal", "host": os.uname().nodename, "starts": found.starts}
            print(json_text({**journal, "whole": found.whole, "known": found.known}))
        elif note := _note(question, found):
            print(note)
        count = _print_all(entries, _style(options, worker=worker), json=options.json, at_once=question.follow)
        if not (count or options.json) and found.known:
            print(f"No such line{_window(question)}.")
        if not found.known and not question.follow:
            return Exit.PROBLEM
    return Exit.OK


def _merge(options: LogsOptions, files: Sequence[Path]) -> Exit:
    """Print what several hosts answered as one story, then what became of each. Return PROBLEM if none answered."""
    with contextlib.ExitStack() as opened:
        sources = merge.read(chain.from_iterable(_open(file, opened) for file in files))
    with _quiet_end():
        count = _print_all(merge.story(sources), _style(options, host=True, worker=True), json=options.json)
        if not (count or options.json) and any(source.answered for source in sources):
            print("No such line on any host that answered.")
        for source in sources:
            print(merge.as_json(source) if options.json else merge.as_text(source))
    return Exit.OK if any(source.answered for source in sources) else Exit.PROBLEM


def _open(file: Path, opened: contextlib.ExitStack) -> TextIO:
    if str(file) == "-":
        return sys.stdin
    try:
        return opened.enter_context(file.open(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise UsageFault(f"--merge {file}: {error.strerror}") from None


def _with_worker(entries: Iterator[Entry], question: LogsOptions) -> tuple[Iterable[Entry], bool]:
    """Return the entries, and True if the worker of each is to be named: if there are several, or none is known yet."""
    if question.follow or not (question.call or question.lines):
        return entries, True
    known = list(entries)
    return known, len({entry.unit for entry in known}) > 1


def _note(question: LogsOptions, found: Story) -> str:
    """Say what is missing, so that "no line" is not taken for "nothing happened"; "" if nothing is."""
    back = lines.beginning(found.starts)
    if not found.known:
        wait = "; waiting for one" if question.follow else ""
        return f"No line of {printable(question.call or '')}{_window(question)}: {back}, nothing older is kept{wait}."
    return "" if found.whole else f"── {back}, nothing older is kept ──"


def _window(question: LogsOptions) -> str:
    return "".join(f" {word} {value}" for word, value in (("since", question.since), ("until", question.until)) if value)


def _style(options: LogsOptions, *, worker: bool, host: bool = False) -> Style:
    """Return how lines are shown; in colour on a terminal only."""
    colour = not options.json and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return Style(host=host, worker=worker, colour=colour, numbers=options.numbers)


def _print_all(entries: Iterable[Entry], style: Style, *, json: bool, at_once: bool = False) -> int:
    """Print each as it comes; returns how many there were."""
    count = 0
    for entry in entries:
        count += 1
        print(lines.as_json(entry, style) if json else lines.as_text(entry, style), flush=at_once)
    return count


@contextlib.contextmanager
def _quiet_end() -> Iterator[None]:
    """End without a word on ``| head`` and Ctrl-C: whoever reads has read enough."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer must not fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        pass
