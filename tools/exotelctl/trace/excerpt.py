"""One call out of a trace as a capture of its own. Pure but for `write`."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from exotel_phone.captures.file import CaptureFile
from exotel_phone.captures.records import VERSION, Capture, Close, End, Gap, Open, Record, line
from exotel_phone.exits import UsageFault
from exotel_phone.text import printable

from exotelctl.trace.call import Call
from exotelctl.trace.calls import Trace
from exotelctl.trace.steps import Event


def records(trace: Trace, call: Call) -> Iterator[Record]:
    """The call as the records of a capture; what is no longer kept becomes a `Gap`, and the `End` says so."""
    yield _header(trace, call)
    yield call.opening or Open(call.opened, call.conn, instance=call.worker, joined=True, call_sid=call.call_sid)
    messages, expected = 0, 1
    for item in call.kept():
        if item.number > expected:
            yield _gap(call, item.at, item.number - expected)
        expected = item.number + 1
        if isinstance(item, Event):
            if item.missing:
                yield _gap(call, item.at, item.missing)
        else:
            yield item.record
            messages += 1
    if call.closed is not None:
        yield Close(call.closed, call.conn, call.ended, call.code)
    doubts = call.doubts() or ([] if call.state == "ended" else ["the call went on when it was saved"])
    yield End(call.last_at, not doubts, "; ".join(doubts) or "the call ended", messages, 1)


def write(path: Path, call_records: Iterable[Record]) -> int:
    """Write the records to a new file that only its owner may read; returns its bytes. Raises UsageFault and Refusal."""
    if path.exists():
        raise UsageFault(f"{printable(str(path))} exists: choose another name")
    file = CaptureFile(path, force=False)
    size = 0
    try:
        for record in call_records:
            data = line(record)
            file.write(data)
            size += len(data)
    except OSError as error:
        file.discard()
        raise UsageFault(f"{file.name}: {error.strerror}") from None
    file.keep()
    return size


def _header(trace: Trace, call: Call) -> Capture:
    source = trace.sources.get(call.worker) or next(iter(trace.sources.values()), None)
    asked: dict[str, str | int] = {"call": call.call_sid or call.conn}
    if source is None:
        return Capture(VERSION, "", call.worker, "", call.opened, "keep", False, asked)
    return msgspec.structs.replace(source.header, filter=asked)


def _gap(call: Call, at: float, messages: int) -> Gap:
    return Gap(at, messages, {call.conn: messages})
