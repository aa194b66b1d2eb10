"""Choose the live records that go into the file, and say when there is enough. No input or output but the file it is given."""

from collections.abc import Callable, Iterable

from exotel_phone.captures.calls import start_ids
from exotel_phone.captures.records import Close, End, Gap, Message, Open, Record, line
from exotel_phone.text import plural

from exotelctl.capture.live import Filter


class Recorder:
    """Writer of a capture: takes the records of all workers, writes those of the calls that were asked for, as lines.

    With ``next`` the first calls of all workers count, not of each. A connection that ended without having become a call is
    written, and not counted. ``write`` may raise OSError; nothing is written after that.
    """

    def __init__(self, asked: Filter, most_bytes: int, write: Callable[[bytes], object]) -> None:
        self.messages = 0
        self.size = 0
        self.calls: dict[str, str] = {}
        """Id of the call of each connection in the file, or the connection's own until that is known."""
        self.live: dict[str, str] = {}
        """Worker of each open connection."""
        self.started: set[str] = set()
        """Connections that have become calls."""
        self.missing: list[str] = []
        """Reasons why the file is not complete, in the order in which they turned out."""
        self._asked = asked
        self._for_all = not (asked.call or asked.number or asked.next)
        self._most_bytes = most_bytes
        self._write = write
        self._held: dict[str, list[Record]] = {}
        self._ended = 0

    def take(self, record: Record) -> str:
        """Take a record; return why to stop, or ""."""
        match record:
            case Open() if self._asked.next:
                self._held[record.conn] = [record]
            case Open():
                return self._put([record])
            case Message() | Close():
                return self._of_a_call(record)
            case Gap():
                return self._gap(record)
            case End():
                return self._worker_ended(record)
        return ""

    def end(self, at: float, why: str) -> End:
        """Return the last line, for a recording that stops because of ``why``."""
        if self.live:
            self.missing.append(f"{plural(len(self.live), 'call')} went on")
        wanted = self._asked.next or int(not self._for_all)
        if self._ended < wanted and not self.missing:
            self.missing.append(f"{plural(self._ended, 'call')} of {wanted} came" if self._asked.next else "no call came")
        said = "; ".join(dict.fromkeys([why, *self.missing]))
        return End(at, not self.missing, said, self.messages, len(self.calls))

    def _of_a_call(self, record: Message | Close) -> str:
        conn = record.conn
        held = self._held.get(conn)
        if held is None:
            return self._put([record]) if conn in self.calls else ""
        held.append(record)
        starts = isinstance(record, Message) and bool(start_ids(record))
        if not (starts or isinstance(record, Close)):
            return ""
        del self._held[conn]
        return self._put(held) if len(self.started) < self._asked.next else ""

    def _gap(self, gap: Gap) -> str:
        conns = {conn: lost for conn, lost in gap.conns.items() if conn in self.calls or conn in self._held}
        if not conns:
            return ""
        lost = sum(conns.values())
        self.missing.append(f"{plural(lost, 'message')} lost")
        return self._put([Gap(gap.at, lost, conns)])

    def _worker_ended(self, end: End) -> str:
        cut = [conn for conn, instance in self.live.items() if instance == end.instance]
        if cut:
            for conn in cut:
                del self.live[conn]
            self.missing.append(f"{plural(len(cut), 'call')} cut off: {end.why}")
        return self._enough()

    def _put(self, records: Iterable[Record]) -> str:
        for record in records:
            text = line(record)
            if self.size + len(text) > self._most_bytes:
                return "the file is full (--max-bytes)"
            self._write(text)
            self.size += len(text)
            self._note(record)
        return self._enough()

    def _note(self, record: Record) -> None:
        if isinstance(record, Open):
            self.calls[record.conn] = record.call_sid or record.stream_sid or record.conn
            self.live[record.conn] = record.instance
            if record.joined:
                self.missing.append("a call was joined while it was going on")
                self.started.add(record.conn)
        elif isinstance(record, Message):
            self.messages += 1
            ids = start_ids(record) if record.conn not in self.started and record.from_ == "exotel" else {}
            if ids:
                self.calls[record.conn] = ids.get("call_sid") or ids["stream_sid"]
                self.started.add(record.conn)
        elif isinstance(record, Close):
            self.live.pop(record.conn, None)
            self._ended += record.conn in self.started

    def _enough(self) -> str:
        if self.live or self._for_all:
            return ""
        if self._asked.next:
            return "every call that was asked for has ended" if self._ended >= self._asked.next else ""
        return "the call ended" if self._ended else ""
