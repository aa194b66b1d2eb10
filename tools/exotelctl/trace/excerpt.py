"""One call out of a trace as a capture of its own. Pure but for `write`."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from exotel_phone.captures.capture_file import CaptureFile
from exotel_phone.captures.records import VERSION, Capture, End, Gap, Message, Open, Record, line
from exotel_phone.exits import UsageFault
from exotel_phone.text import printable

from exotelctl.trace.call import Call
from exotelctl.trace.calls import Trace


def records(trace: Trace, call: Call) -> Iterator[Record]:
    """Yield the call as the records of a capture; what is no longer kept becomes a `Gap`, and the `End` says so."""
    yield _header(trace, call)
    yield msgspec.structs.replace(call.opening, instance=call.worker, call_sid=call.call_sid) if call.joined else call.opening
    messages, expected = 0, 1
    for moment in call.kept():
        record, lost = moment.record, moment.number - expected
        if lost:
            yield Gap(record.at, lost, {call.conn: lost})
        if not isinstance(record, Open):
            yield record
        messages += isinstance(record, Message)
        expected = moment.number + 1
    doubts = call.doubts() or ([] if call.state == "ended" else ["the call went on when it was saved"])
    yield End(call.last_at, not doubts, "; ".join(doubts) or "the call ended", messages, 1)


def write(path: Path, call_records: Iterable[Record]) -> int:
    """Write the records to a new file that only its owner may read; return its bytes. Raises UsageFault and Refusal."""
    if path.exists():
        raise UsageFault(f"{printable(str(path))} exists: choose another name")
    size = 0
    with CaptureFile(path, force=False) as file:
        for data in map(line, call_records):
            try:
                file.write(data)
            except OSError as error:
                raise UsageFault(f"{file.name}: {error.strerror}") from None
            size += len(data)
    file.keep()
    return size


def _header(trace: Trace, call: Call) -> Capture:
    source = trace.sources.get(call.worker) or next(iter(trace.sources.values()), None)
    asked: dict[str, str | int] = {"call": call.call_sid or call.conn}
    if source is None:
        return Capture(VERSION, "", call.worker, "", call.opened, "keep", False, asked)
    return msgspec.structs.replace(source.header, filter=asked)
