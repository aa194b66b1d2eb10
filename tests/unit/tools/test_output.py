"""JSON that is safe for terminals and parsers."""

import json

import pytest
from exotel_phone.output import emit_json, json_text
from exotelctl.journal import Entry
from exotelctl.logs import lines

HOSTILE = "C\u009b31m\u202e1\u2066\x1b]0;x\x07\x7f\u200b\u2028\U000e0041\ud800\ufeff"
INNOCENT = "चरण é 🚀 ☎️ →"


@pytest.mark.parametrize("indent", [None, 2])
def test_what_is_not_printable_is_escaped_and_reads_back_as_it_was(indent: int | None) -> None:
    value = {HOSTILE: [HOSTILE, INNOCENT, "two\nlines", 1.5, None]}
    text = json_text(value, indent=indent)
    assert text.replace("\n", "").isprintable()
    assert INNOCENT in text
    assert json.loads(text) == value


def test_every_object_is_printed_so(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json({"call_sid": HOSTILE})
    said = capsys.readouterr().out
    assert said.replace("\n", "").isprintable()
    assert json.loads(said) == {"call_sid": HOSTILE}


def test_a_line_of_the_log_is_printed_so() -> None:
    entry = Entry(time=1.0, message=HOSTILE, priority=6, unit="u", cursor="c", fields={"CALL_SID": HOSTILE, "_HOSTNAME": "h"})
    said = lines.as_json(entry, lines.Style())
    assert said.isprintable()
    assert json.loads(said)["fields"] == {"CALL_SID": HOSTILE}
