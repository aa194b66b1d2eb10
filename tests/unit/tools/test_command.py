"""A suggested command, pasted into a shell, runs as meant, with any name of a unit or process in it."""

import ast
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from exotel_phone.command import command, of_units
from exotel_phone.text import printable
from exotelctl.doctor import checks, report
from exotelctl.port.plan import plan
from exotelctl.port.report import plan_text
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.tools import doctor_facts
from tests.unit.tools.test_port_plan import SYSTEMD, facts, holder

TOOLS = Path(__file__).parents[3] / "tools"

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(lambda name: not name.startswith("-"))


def hostile(name: str) -> list[str]:
    return [f"{name}.service", f"$({name}).service", f"`{name}`;{name} &&.service", f"'{name}\"\\.service"]


@given(words=st.lists(NAMES, min_size=1, max_size=4), note=NAMES)
@example(words=["systemctl", "stop", "$(reboot).service"], note="'")
@example(words=["a\nb", "x\x1b[2J", "\u202e", "ends\\"], note="a\nrm -rf /")
def test_a_shell_reads_the_very_arguments(words: list[str], note: str) -> None:
    wanted = [printable(word) for word in words]
    assert shlex.split(command(*words)) == wanted
    assert shlex.split(command(*words, note=note), comments=True) == wanted
    assert command(*words, note=note).isprintable()


@pytest.mark.parametrize(
    "word", ["$(touch /tmp/x)", "`id`", "a;b", "a\nb", "'", '"', "$HOME", "*", "~", "!!", "a b", "", "\\", "é", "#"]
)
def test_a_real_shell_reads_them_too(word: str) -> None:
    script = f"printf '%s\\n' {command(word)}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{printable(word)}\n"


def test_a_name_like_an_option_is_no_option() -> None:
    assert of_units("stop", "-H evil.service") == "systemctl stop -- '-H evil.service'"
    assert of_units("stop", "nginx.service", user=True) == "systemctl --user stop nginx.service"


@given(name=NAMES)
def test_what_to_type_instead_stops_the_unit_and_nothing_else(name: str) -> None:
    for unit in hostile(name):
        for user in (False, True):
            (decision,) = plan(facts(holder(unit=unit, unit_state="active", user_unit=user)), force=False).decisions
            stop = ["systemctl", *(["--user"] if user else []), "stop", printable(unit, 300)]
            assert shlex.split(decision.instead) == stop
        (decision,) = plan(facts(SYSTEMD, socket_unit=f"{unit}.socket"), force=False).decisions
        assert shlex.split(decision.instead) == ["systemctl", "stop", printable(f"{unit}.socket", 300)]


def test_a_report_spells_out_what_a_terminal_would_obey() -> None:
    evil = "\x1b]0;owned\x07\u202e\n"
    given_facts = facts(holder(unit=f"{evil}.service", unit_state="active", user=evil, name=evil, command=evil))
    text = plan_text(given_facts, plan(given_facts, force=False), 10)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "owned" in text
    assert not any(line.startswith(".service") for line in text.splitlines())


@pytest.mark.parametrize("name", ["/$(reboot)'", "/a b;id", "/x\ny\x1b[2J", "/`id`\\"])
def test_the_doctors_commands_survive_hostile_names(name: str) -> None:
    full = replace(doctor_facts.ROOM, paths=(name,), free=0)
    bad = doctor_facts.calls(
        doctor_facts.call(call_sid=name, ended="peer_lost"), doctor_facts.call(call_sid="", id=name, ended="error")
    )
    found = checks.judge(doctor_facts.healthy(file_systems=[full], calls=bad))
    texts = [text for each in found if each.remedy for text in (*each.remedy.safe_commands, *each.remedy.risky_commands)]
    assert f"{command('df', '-h', name)}; {command('df', '-i', name)}" in texts
    for text in texts:
        assert text.isprintable()
        assert subprocess.run(["sh", "-n", "-c", text], check=False).returncode == 0, text
    shown = report.text(found, verbose=True)
    assert all(text in shown for each in found if each.remedy and each.verdict == "fail" for text in each.remedy.safe_commands)


PROGRAM = re.compile(
    r"\b(sudo|systemctl|journalctl|exotelctl|exotel-ws|docker|podman|kill|ps|getent|ls|ss|nft|ufw|iptables|ansible-playbook|gcloud"
    r"|rm|cat|chown|curl|openssl|ssh|apt-get|sysctl|mount|df|du)( [^.:(]*)?$"
)
NO_COMMANDS = (
    "this exotelctl reads",
    "exotelctl {version(",
    "MESSAGE=exotelctl doctor looks",
    "exotelctl trace  ",
    "needs root: sudo",
    "exotelctl {version(",
    "MESSAGE=exotelctl doctor looks",
    "apt-get install {what}",
)


def test_no_command_with_a_value_in_it_is_made_elsewhere() -> None:
    found = []
    for path in TOOLS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                before = ""
                for part in node.values:
                    if isinstance(part, ast.FormattedValue) and PROGRAM.search(before):
                        found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
                    before += str(part.value) if isinstance(part, ast.Constant) else "X"
    assert [text for text in found if not any(known in text for known in NO_COMMANDS)] == []
