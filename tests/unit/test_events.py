"""Server, exotelctl and documentation agree on the table of events and fields."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from exotel_ws.events import EVENTS, FIELDS

ROOT = Path(__file__).parents[2]
JOURNALD = {"MESSAGE", "PRIORITY", "MESSAGE_ID", "N_DROPPED", "SYSLOG_IDENTIFIER", "SYSLOG_PID", "LOGGER"}
RECEIPTS = {"PORT", "REQUESTED_BY", "HOLDER_PID"}
"""Fields of exotelctl's own actions, which its receipts name."""


def nodes(*folders: str) -> Iterator[tuple[str, ast.AST]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                yield f"{path.name}:{getattr(node, 'lineno', 0)}", node


def text(node: ast.AST | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_every_event_and_field_that_the_server_writes_is_in_the_table() -> None:
    events, unknown = set(), []
    for where, node in nodes("server"):
        if isinstance(node, ast.Call) and any(keyword.arg == "event" for keyword in node.keywords):
            of_a_line = "stream_sid" not in {keyword.arg for keyword in node.keywords}  # else a protocol message
            events |= {text(keyword.value) for keyword in node.keywords if keyword.arg == "event" and of_a_line} - {""}
            fields = {keyword.arg for keyword in node.keywords if keyword.arg and keyword.arg.isupper()}
        elif isinstance(node, ast.Dict) and "EVENT" in map(text, node.keys):
            events |= {text(value) for key, value in zip(node.keys, node.values, strict=True) if text(key) == "EVENT"} - {""}
            fields = set(map(text, node.keys)) - {""}
        else:
            continue
        unknown += [f"{where}: {field}" for field in fields - FIELDS]
    assert unknown == []
    assert events <= EVENTS
    assert len(events) > 20


def test_every_field_that_exotelctl_reads_is_in_the_table() -> None:
    read = {}
    for where, node in nodes("tools/exotelctl/doctor", "tools/exotelctl/logs", "tools/exotelctl/journal.py"):
        key = None
        if isinstance(node, ast.Subscript) and "fields" in ast.unparse(node.value):
            key = node.slice
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("fields.get", ".said")):
            key = node.args[0]
        elif isinstance(node, ast.Compare) and "fields" in ast.unparse(node.comparators[0]):
            key = node.left
        if text(key).isupper() and not text(key).startswith("_"):
            read[where] = text(key)
    assert {where: name for where, name in read.items() if name not in FIELDS | JOURNALD} == {}
    assert {"RATE", "ENDED", "OURS"} <= set(read.values())


def test_the_documented_events_and_fields_are_in_the_table() -> None:
    page = (ROOT / "docs/operating.md").read_text()
    table = page.partition("| `EVENT=` | fields |")[2].partition("\n- ")[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:3] for line in table.splitlines() if line.strip().startswith("| `")]
    assert rows
    assert {name for events, _ in rows for name in re.findall(r"`(\w+)`", events)} <= EVENTS
    assert {name for _, fields in rows for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", fields)} <= FIELDS | RECEIPTS
