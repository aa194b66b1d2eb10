"""``verify``: its proofs, in the order of causes, and its report of the first step that fails."""

import base64
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.filter.edge_keys import edge_keys
from exotel_phone.reach import Fault
from exotel_phone.target import Target
from exotelctl.doctor import bundle
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.call import Answers, Http
from exotelctl.doctor.facts.deployment import Deployment
from exotelctl.doctor.facts.fact import Fact
from exotelctl.doctor.facts.log import Log
from exotelctl.doctor.facts.outside import Broken, Outside
from exotelctl.doctor.facts.units import Line, Units
from exotelctl.options import VerifyOptions
from exotelctl.verify import look, steps, verb

from tests.unit.tools.doctor_edge_facts import OUTSIDE_EDGE, STATE, edged
from tests.unit.tools.doctor_facts import (
    ANSWERS,
    DEPLOYMENT,
    ECHO,
    HEALTH,
    NOW,
    OUTSIDE,
    PORT,
    STRANGER,
    SYSTEMD,
    UNITS,
    healthy,
    unit,
)

TARGET = Target(False, "198.51.100.7", 8765, "", "sample-rate=16000")
DOWN = Units((unit(UNITS[0]), unit(UNITS[1], active="failed", sub="failed", result="exit-code"), unit(UNITS[2])), ())
REFUSED = Fault("refused", "198.51.100.7:8765 refused the connection", "")
LOOK = Path(__file__).parents[3] / "roles/verify/files/look.sh"


def said(facts: Facts, seen: Outside = OUTSIDE) -> list[str]:
    found = steps.of_host(facts)
    if not found[-1].wrong:
        found = steps.up_to_fault([*found, *steps.from_here(facts, seen, TARGET)])
    return verb.report(found, steps.also(facts), "voice-1")


def test_a_host_on_which_nothing_is_wrong() -> None:
    echo = replace(ECHO, frames_sent=100, round_trip_p95_ms=0.7)
    assert said(healthy(), replace(OUTSIDE, answers=replace(ANSWERS, echo=echo))) == [
        f"✅ generation {DEPLOYMENT.generation} of release 0.1.0-aaaa is deployed",
        "✅ 3 units are active: the socket and 2 workers",
        "✅ port 8765 is held by PID 1 for exotel-ws.socket, and by no stranger",
        f"✅ the host itself gets {HEALTH}",
        "✅ so does this machine, by http://198.51.100.7:8765, in 1.0 ms",
        "✅ the protocol test passes, 18 of 18 checks",
        "✅ a call of 2 s at 16000 Hz came back bit-exact, round trip p50 0.5 ms, p95 0.7 ms",
        "✅ voice-1 takes calls",
    ]


def test_a_bot_greets() -> None:
    health = Http(200, '{"status":"ok","service":"exotel-voicebot","mode":"ai"}', 1.0)
    bot = replace(ANSWERS, health=health, echo=replace(ECHO, bit_exact=False))
    facts = healthy(deployment=replace(DEPLOYMENT, mode="ai"), loopback=bot)
    assert "✅ the bot greets a caller at 16000 Hz, in messages that Exotel plays" in said(facts, replace(OUTSIDE, answers=bot))


def module_missing(name: str) -> dict[str, Any]:
    line = Line(NOW - 5, UNITS[1], f"ModuleNotFoundError: No module named '{name}'")
    return {"units": replace(DOWN, lines=(line,))}


HOST: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing deployed": ({"deployment": Deployment()}, "a generation is deployed", "nothing was ever put into service"),
    "maintenance": (
        {"deployment": replace(DEPLOYMENT, maintenance="in maintenance since noon"), "units": DOWN},
        "its units are active",
        "the host is in maintenance since noon",
    ),
    "a worker is down": ({"units": DOWN}, "its units are active", f"{UNITS[1]} is failed"),
    "a module is missing": (module_missing("uvloop"), "its units are active", "the release lacks a module"),
    "units unseen": ({"units": Fact(missing="systemctl: no answer")}, "its units are active", "systemctl: no answer"),
    "a stranger": (
        {"port": replace(PORT, holders=(SYSTEMD, STRANGER))},
        "port 8765 is held by PID 1",
        "pid 4242, node server.js, listens beside us and may take calls away",
    ),
    "elsewhere": (
        {"port": replace(PORT, listeners=(), holders=())},
        "port 8765 is held by PID 1",
        "exotel-ws.socket does not listen on 8765",
    ),
    "unhealthy": (
        {"loopback": Answers("u", Http(500, "oops"))},
        "the server answers on the host itself",
        "/health says HTTP 500",
    ),
    "draining": (
        {"loopback": replace(ANSWERS, ready=Http(503, '{"status":"draining"}'))},
        "the server answers on the host itself",
        "/ready says 503",
    ),
}


@pytest.mark.parametrize(("changes", "claim", "cause"), HOST.values(), ids=HOST)
def test_what_fails_first_on_the_host_is_told(changes: dict[str, Any], claim: str, cause: str) -> None:
    lines = said(healthy(**changes))
    at = next(number for number, line in enumerate(lines) if line.startswith("❌"))
    assert lines[at].startswith(f"❌ voice-1 failed: {claim}")
    assert lines[at + 1].startswith(f"Likely cause: {cause}")
    assert lines[-1].startswith("Next: ")
    assert all(line.startswith("✅") for line in lines[:at])


HERE: dict[str, tuple[Outside, str, str]] = {
    "no such name": (Outside(NOW, "ws://a:8765", 8765, (), "Name not known"), "the server answers this machine", "resolve"),
    "refused": (replace(OUTSIDE, connect=REFUSED, answers=None), "the server answers", "the server listens on 0.0.0.0:8765 only"),
    "dropped": (
        replace(OUTSIDE, connect=Fault("timeout", "no answer", ""), answers=None),
        "the server answers this machine at http://198.51.100.7:8765",
        "a cloud firewall drops it",
    ),
    "cut": (
        replace(OUTSIDE, answers=Answers("u", Http(trouble=Fault("reset", "it closed", "")))),
        "the server answers this machine",
        "a firewall or a proxy cuts what comes from here",
    ),
    "another server": (replace(OUTSIDE, answers=Answers("u", Http(404, "<html>"))), "the server answers", "404"),
    "draining": (
        replace(OUTSIDE, answers=replace(ANSWERS, ready=Http(503, "draining"))),
        "the server answers this machine",
        "/ready says 503 draining",
    ),
    "off protocol": (replace(OUTSIDE, broken=(Broken("MARK", "no mark"),)), "the protocol test passes", "MARK"),
    "no call": (replace(OUTSIDE, answers=replace(ANSWERS, echo=None)), "a call comes back bit-exact", "no call could be placed"),
    "another echo": (
        replace(OUTSIDE, answers=replace(ANSWERS, echo=replace(ECHO, bit_exact=False))),
        "a call comes back bit-exact",
        "the echo is not what was sent",
    ),
}


@pytest.mark.parametrize(("seen", "claim", "cause"), HERE.values(), ids=HERE)
def test_what_fails_first_from_here_is_told(seen: Outside, claim: str, cause: str) -> None:
    lines = said(healthy(), seen)
    assert any(line.startswith(f"❌ voice-1 failed: {claim}") for line in lines), lines
    assert cause in "\n".join(lines[4:]), lines


def test_an_edge_that_is_down_is_named_with_its_cure() -> None:
    stopped = {"state": replace(STATE, active="inactive", sub="dead"), "served": None, "inside": None}
    *_, failed, cause, cure = said(edged(**stopped), replace(OUTSIDE_EDGE, connect=REFUSED, answers=None))
    assert failed.startswith("❌ voice-1 failed: the server answers this machine")
    assert cause.startswith(f"Likely cause: {REFUSED.cause}: haproxy.service is inactive (dead)")
    assert cure.startswith("Next: It did not fail")
    assert cure.endswith("systemctl start haproxy.service")


def test_what_keeps_no_call_from_being_taken_is_a_warning() -> None:
    moved = "calls to port 9000 are refused since noon"
    facts = healthy(deployment=replace(DEPLOYMENT, moved=moved), log=Log("exotelctl-call-1", call_written=False))
    *_, first, second, last = said(facts)
    assert first == f"⚠️ {moved}"
    assert second.startswith("⚠️ journal: lines of now do not get into the server's journal")
    assert last == "✅ voice-1 takes calls"


# -- facts of the host ---------------------------------------------------------------------------------------------------


@pytest.fixture
def told(tmp_path: Path) -> Path:
    bundle.write(tmp_path / "bundle.tar", healthy(deployment=replace(DEPLOYMENT, asks_credential=True, paths=("/•••",))))
    (tmp_path / "code").write_text("0\n")
    (tmp_path / "paths.toml").write_text('paths = ["/a-secret", "/other"]\n')
    (tmp_path / "credential").write_text("KEY:a-token-of-the-host\n")
    (tmp_path / "generation.json").write_text(
        json.dumps({"generation": "g1", "release": "0.1.0", "workers": 2, "listen": "0.0.0.0:9000"})
    )
    return tmp_path


def test_what_is_called_is_what_the_host_serves(told: Path) -> None:
    target = look.target(told, look.read(told), "voice-1.example", 8000)
    assert (target.url(), target.credential) == (
        "ws://voice-1.example:8765/a-secret?sample-rate=8000",
        "KEY:a-token-of-the-host",
    )


def test_a_release_whose_tool_cannot_save_what_it_saw_is_judged_from_here(told: Path) -> None:
    (told / "bundle.tar").unlink()
    (told / "code").write_text("2\n")
    (told / "said").write_text("Usage: …\nNo such option: --bundle\n")
    seen = look.read(told)
    assert (seen.unseen, seen.broken, seen.facts.deployment.get().port) == ("No such option: --bundle", False, 9000)


def test_a_release_whose_tool_does_not_start_fails(told: Path) -> None:
    (told / "bundle.tar").unlink()
    (told / "code").write_text("1\n")
    (told / "said").write_text("ImportError: no exotelctl\n")
    found, warnings = verb.prove(VerifyOptions(told, "127.0.0.1", 8000, 1.0, "voice-1"))
    lines = verb.report(found, warnings, "voice-1")
    assert "❌ voice-1 failed: the host looks at itself" in lines
    assert "Likely cause: exotelctl gave no answer: ImportError: no exotelctl" in lines


def test_a_bundle_of_another_format_is_judged_from_here_and_that_is_said(told: Path) -> None:
    (told / "bundle.tar").unlink()
    bundle.write(told / "bundle.tar", healthy())
    raw = (told / "bundle.tar").read_bytes()
    (told / "bundle.tar").write_bytes(raw.replace(b'"format": 1', b'"format": 9'))
    seen = look.read(told)
    assert "has format 9" in seen.unseen
    assert not seen.broken


def test_a_host_without_a_deployment_is_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = VerifyOptions(tmp_path, "127.0.0.1", 8000, 1.0, "voice-1")
    (tmp_path / "code").write_text("127\n")
    assert verb.run(order) == verb.NOTHING_DEPLOYED
    (tmp_path / "code").unlink()
    assert verb.run(order) == 1
    assert "the host told nothing of itself" in capsys.readouterr().out


def test_the_hosts_part_works_where_nothing_is_installed(tmp_path: Path) -> None:
    script = LOOK.read_text().replace("/run/", f"{tmp_path}/").replace("/usr/local/bin/", "/nowhere/")
    ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    files = json.loads(ran.stdout.split("--- verify")[1])
    assert base64.b64decode(files["code"]) == b"127\n"
    assert {"credential", "paths.toml", "said", "token"} <= files.keys()
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_one_that_server_and_edge_know(tmp_path: Path) -> None:
    """The lists differ after a deploy that failed between the two. The server's first key is shown if they share none."""
    server, edge = tmp_path / "etc/exotel-ws/current/credentials", tmp_path / "etc/exotel-edge/keys"
    server.mkdir(parents=True)
    (server / "stream-credentials").write_text("retired:first\nboth:second\n")
    script = LOOK.read_text().replace("/run/", f"{tmp_path}/").replace("/etc/", f"{tmp_path}/etc/")

    def shown() -> bytes:
        ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        return base64.b64decode(json.loads(ran.stdout.split("--- verify")[1])["credential"])

    assert shown() == b"retired:first\n"
    edge.mkdir(parents=True)
    for known, expected in ((["both:second", "added:third"], b"both:second\n"), (["added:third"], b"retired:first\n")):
        (edge / "basic.lst").write_text(edge_keys(known)["basic.lst"])
        assert shown() == expected
