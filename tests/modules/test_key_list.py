"""The list of keys in a file of variables changes, and nothing else in it does."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible_collections.exotel.voicebot.plugins.plugin_utils.key_list import (
    Entry,
    Unfit,
    entries,
    with_entry,
    without_entry,
)

NEW = Entry("exotel-20261129:" + "ab" * 32)
VAULTED = Entry("$ANSIBLE_VAULT;1.2;AES256;prod\n3132\n3334\n", vaulted=True)
OLD = Entry("KEY:an-old-token")

BLOCK = """\
---
# The head.
exotel_ws_port: 8765  # its comment

exotel_ws_credentials:
  # of the first flow
  - KEY:an-old-token  # until December

  - !vault |
          $ANSIBLE_VAULT;1.2;AES256;prod
          3132
          3334

# The tail.
exotel_ws_paths: [/exotel]
"""
VAULTED_TEXT = """\
exotel_ws_credentials: !vault |
          $ANSIBLE_VAULT;1.2;AES256;prod
          3132
          3334
exotel_ws_port: 8765
"""
FORMS = {
    "block": (BLOCK, [OLD, VAULTED]),
    "not indented": ("exotel_ws_credentials:\n- KEY:an-old-token\nexotel_ws_port: 1\n", [OLD]),
    "no line end": ("exotel_ws_port: 1\nexotel_ws_credentials:\n  - 'KEY:an-old-token'", [OLD]),
    "flow": ('exotel_ws_credentials: ["KEY:an-old-token", a:b]  # both\nexotel_ws_port: 1\n', [OLD, Entry("a:b")]),
    "one text": ("exotel_ws_credentials: KEY:an-old-token # one\nexotel_ws_port: 1\n", [OLD]),
    "one vaulted text": (VAULTED_TEXT, [VAULTED]),
    "empty list": ("exotel_ws_credentials: []         # nobody\nexotel_ws_port: 1\n", []),
    "null": ("exotel_ws_credentials:   # none\nexotel_ws_port: 1\n", []),
    "not set": ("# a comment\nexotel_ws_port: 1", None),
    "commented out": ("# exotel_ws_credentials: []\n", None),
    "nothing": ("", None),
    "a head": ("---\n", None),
}


def comments(text: str) -> list[str]:
    return [f"#{line.partition('#')[2]}" for line in text.splitlines() if "#" in line]


def port(text: str) -> object:
    root = yaml.compose(text)
    assert root is not None
    return next((value.value for key, value in root.value if key.value == "exotel_ws_port"), None)


@pytest.mark.parametrize("entry", [NEW, VAULTED], ids=["plain", "vaulted"])
@pytest.mark.parametrize(("text", "had"), FORMS.values(), ids=FORMS)
def test_a_key_is_appended(text: str, had: list[Entry] | None, entry: Entry) -> None:
    assert entries(text) == had
    after = with_entry(text, entry)
    assert entries(after) == [*(had or []), entry]
    assert comments(after) == comments(text)
    assert with_entry(after, OLD).endswith("\n")
    assert entries(with_entry(after, OLD)) == [*(had or []), entry, OLD]
    if "exotel_ws_port" in text:
        assert port(after) == port(text) is not None


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(("text", "had"), [form for form in FORMS.values() if form[1]])
def test_a_key_is_taken_out(text: str, had: list[Entry], number: int) -> None:
    grown = with_entry(text, NEW)
    left = [*had, NEW]
    del left[number]
    assert entries(without_entry(grown, number)) == left


def test_only_the_lines_of_the_key_change() -> None:
    lines = BLOCK.splitlines()
    assert [line for line in with_entry(BLOCK, NEW).splitlines() if line not in lines] == [f'  - "{NEW.text}"']
    left = without_entry(BLOCK, 0).splitlines()
    assert [line for line in lines if line not in left] == ["  - KEY:an-old-token  # until December"]
    left = without_entry(BLOCK, 1).splitlines()
    assert [line.strip() for line in lines if line not in left] == ["- !vault |", *VAULTED.text.split()]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [1,\nb: secret-text\n", "not YAML: look at line"),
        ("- a\n- b\n", "no variables"),
        ("a: 1\n---\nb: 2\n", "several YAML documents"),
        ("exotel_ws_credentials: []\nexotel_ws_credentials: []\n", "twice"),
        ("exotel_ws_credentials: '{{ vault_keys }}'\n", "a template"),
        ("exotel_ws_credentials: ['{{ vault_key }}']\n", "a template"),
        ("exotel_ws_credentials: {a: b}\n", "no text"),
        ("exotel_ws_credentials: [12:34]\n", "no text: put it in quotes"),
        ("exotel_ws_credentials: [[a:b]]\n", "no text"),
        (f"exotel_ws_credentials: {json.dumps(json.dumps(['a:b']))}\n", "as a list"),
        ("exotel_ws_credentials: [a:b,  # mine\n  c:d]\n", "a comment within"),
        ("{exotel_ws_port: 1}\n", "cannot be changed here"),
        ("exotel_ws_port: 1\n...\n", "cannot be changed here"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_what_cannot_be_changed_is_refused_and_not_shown(text: str, why: str) -> None:
    with pytest.raises(Unfit, match=why) as refused:
        with_entry(text, NEW)
    assert "secret-text" not in str(refused.value)
    assert "ab" * 32 not in str(refused.value)


def test_no_repr_shows_a_key() -> None:
    assert "old" not in repr(OLD)
