"""The runbook and the doctor go together: each check has an entry and a saboteur, and every command in it exists."""

import re
from pathlib import Path

import pytest
from exotelctl.cli import app
from exotelctl.doctor import checks
from typer.main import get_command

from tests.lab import edge_saboteurs
from tests.lab.saboteurs import NOT_MADE_HERE, SABOTEURS

ROOT = Path(__file__).parents[3]
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
ENTRIES = dict(re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
PARTS = ["Told as", "Cause", "Evidence", "Fix"]

each_entry = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)


def test_each_check_has_one_entry_and_each_entry_a_check() -> None:
    headings = re.findall(r"^### (.*)$", RUNBOOK, re.MULTILINE)
    assert sorted(headings) == sorted(checks.IDS)


def test_each_check_has_a_saboteur_or_a_reason_why_not() -> None:
    sabotaged = {saboteur.check for saboteur in (*SABOTEURS, *edge_saboteurs.SABOTEURS)}
    assert sabotaged.isdisjoint(NOT_MADE_HERE)
    assert sabotaged | NOT_MADE_HERE.keys() == set(checks.IDS)


def test_saboteurs_have_names_of_their_own() -> None:
    names = [saboteur.name for saboteur in (*SABOTEURS, *edge_saboteurs.SABOTEURS)]
    assert len(set(names)) == len(names)


@each_entry
def test_an_entry_goes_from_symptom_to_fix(entry: str) -> None:
    assert re.findall(r"^\*\*(.*?)\*\*", entry, re.MULTILINE) == PARTS


@each_entry
def test_an_entry_marks_what_cuts_calls(entry: str) -> None:
    """A command that may end calls stands behind the warning, never before it."""
    safe = entry.partition("⚠️")[0]
    assert not re.search(r"SIGKILL|SIGQUIT|kill -9|killall|exotelctl reset", safe)


def test_the_index_leads_to_every_entry() -> None:
    index = RUNBOOK.partition("## What is told, and where to look")[2].partition("\n## ")[0]
    assert set(re.findall(r"\]\(#([\w-]+)\)", index)) == ENTRIES.keys()


def test_every_link_inside_has_a_target() -> None:
    headings = re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= anchors


def test_every_verb_and_option_named_exists() -> None:
    verbs = get_command(app).commands  # type: ignore[attr-defined]
    for verb, rest in re.findall(r"exotelctl ([a-z][a-z-]+)([^`|\n]*)", RUNBOOK):
        assert verb in verbs, f"exotelctl {verb}"
        known = {option for parameter in verbs[verb].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, f"exotelctl {verb}{rest}"


def test_every_playbook_named_exists() -> None:
    for playbook in set(re.findall(r"[\w/]+\.yml", RUNBOOK)):
        assert (ROOT / playbook).is_file(), playbook


def test_it_keeps_the_history() -> None:
    history = RUNBOOK.partition("## History")[2]
    assert all(word in history for word in ("V1", "Edge runtime", "V2", "camelCase", "V3", "passthrough"))
