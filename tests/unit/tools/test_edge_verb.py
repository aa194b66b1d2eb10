"""`exotelctl edge`: what HAProxy says becomes a screen, JSON and an exit code; a source is let in, and nothing else changes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils import audit
from exotel_phone.exits import Exit, Refusal, UsageFault
from exotelctl.edge import config, facts, judge, report, verb
from exotelctl.edge.admit import admit, parse
from exotelctl.edge.config import EdgeConfig
from exotelctl.edge.facts import Full, OldWorker, PutOut
from exotelctl.edge.runtime import Silent
from exotelctl.options import EdgeOptions

from tests.unit.tools.doctor_edge_facts import CONFIG, DAY, EDGE, LEAF, NAME, SERVED, SERVER, STATE, inside, served
from tests.unit.tools.doctor_facts import NOW
from tests.unit.tools.test_edge_runtime import PROCESSES, STAT, haproxy

WRITTEN = {
    "domains": [NAME],
    "certificate": "acme",
    "port": 443,
    "http_port": 80,
    "admin_socket": "/run/haproxy/admin.sock",
    "certificate_file": "/etc/exotel-edge/certificate.pem",
    "keys_asked": True,
    "key_in_start": False,
    "proxy_protocol": False,
    "backend": "127.0.0.1:8765",
    "known_connections": 2000,
    "stranger_connections": 30,
    "strangers_per_second": 200,
    "bad_keys": 10,
    "bad_keys_minutes": 10,
}
"""Facts of edge.json, in the form that the role writes."""


def written(tmp_path: Path, **changes: Any) -> Path:
    file = tmp_path / "edge.json"
    file.write_text(json.dumps({**WRITTEN, **changes}))
    return file


class HAProxy:
    """HAProxy that counts one source: ``wrong`` bad keys and ``rate`` connections. Another one is ``full``."""

    def __init__(self, wrong: int = 0, rate: int = 0, *, full: bool = False, back_at_once: bool = False) -> None:
        self.wrong, self.rate, self.full, self._back_at_once = wrong, rate, full, back_at_once
        self.set: list[str] = []

    def answer(self, command: str) -> bytes:
        if command.startswith("set table"):
            self.set.append(command)
            if not self._back_at_once:
                self.wrong = self.rate = 0
            return b"\n"
        if command.startswith("show table strangers"):
            counter, _, most = command.partition("data.")[2].split(" ")
            shown = {"gpc0_rate": self.wrong, "conn_rate": self.rate}[counter] > int(most)
            entry = f"0x5: key=::ffff:192.0.2.7 use=0 exp=9000 gpc0_rate(600000)={self.wrong} conn_rate(10000)={self.rate}\n"
            return f"# table: strangers, type: ipv6, size:100, used:1\n{entry if shown else ''}\n".encode()
        if command == "show table held data.gpc1_rate gt 0":
            entry = "0x5: key=::ffff:192.0.2.8 use=1998 exp=9000 gpc1=7 gpc1_rate(600000)=7 conn_cur=1998\n"
            return f"# table: held, type: ipv6, size:100, used:1\n{entry if self.full else ''}\n".encode()
        if command.startswith("show table known key"):
            return b"# table: known, type: ipv6, size:100, used:1\n0x5: key=::ffff:192.0.2.7 use=0 exp=9000 gpc0=2\n\n"
        if command == "show table":
            return b"# table: known, type: ipv6, size:100, used:4\n# table: strangers, type: ipv6, size:100, used:1\n\n"
        answers = {"show stat": STAT, "show info": "Version: 3.0.11\n\n", "show proc": PROCESSES["3.0"]}
        if command.startswith("@!"):
            return b"CurrConns: 3\n\n"
        return answers.get(command, "Can't display the certificate: Not found\n").encode()


@pytest.fixture
def known(tmp_path: Path) -> EdgeConfig:
    return replace(CONFIG, admin_socket=str(tmp_path / "admin.sock"))


# -- what is written of it ---------------------------------------------------------------------------------------------


def test_what_the_role_writes_is_read(tmp_path: Path) -> None:
    assert config.load(written(tmp_path)) == CONFIG
    assert config.load(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"domains": []}, "domains"),
        ({"domains": "voice"}, "domains"),
        ({"certificate": "magic"}, "certificate"),
        ({"port": "443"}, "port is str, not int"),
        ({"port": 70_000}, "65535"),
        ({"keys_asked": 1}, "keys_asked"),
    ],
)
def test_what_nobody_wrote_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(config.Unusable, match=why):
        config.load(written(tmp_path, **changes))


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, " " * 100_000])
def test_what_is_no_description_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "edge.json").write_text(text)
    with pytest.raises(config.Unusable, match="A deploy writes it anew"):
        config.load(tmp_path / "edge.json")


# -- what HAProxy says -------------------------------------------------------------------------------------------------


def test_haproxys_answers_become_facts(known: EdgeConfig, tmp_path: Path) -> None:
    with haproxy(Path(known.admin_socket), HAProxy(wrong=12).answer), haproxy(tmp_path / "master", HAProxy().answer):
        seen = facts.look_inside(known, tmp_path / "master")
    assert (seen.version, seen.tunnels, seen.turned_away, seen.known, seen.loaded) == ("3.0.11", 2, 5, 4, None)
    assert seen.servers == (replace(SERVER, check="L7OK 200"),)
    assert seen.put_out == (PutOut("192.0.2.7", "keys", 12, 9.0, proven=True),)
    assert seen.old == (OldWorker(4713, 87_600.0, 3), OldWorker(4760, 600.0, 3))


def test_a_good_source_that_has_all_it_may_is_seen(known: EdgeConfig, tmp_path: Path) -> None:
    with haproxy(Path(known.admin_socket), HAProxy(full=True).answer):
        assert facts.look_inside(known, tmp_path / "nobody").full == (Full("192.0.2.8", 7, 1998),)
        # A role that bounds nobody has no such table, which is not asked for then.
        assert facts.look_inside(replace(known, known_connections=0), tmp_path / "nobody").full == ()


def test_without_a_master_old_workers_are_not_known(known: EdgeConfig, tmp_path: Path) -> None:
    with haproxy(Path(known.admin_socket), HAProxy().answer):
        assert facts.look_inside(known, tmp_path / "nobody").old is None


# -- let in again ------------------------------------------------------------------------------------------------------


def test_a_source_is_let_in(known: EdgeConfig) -> None:
    running = HAProxy(wrong=12, rate=31)
    with haproxy(Path(known.admin_socket), running.answer):
        assert [one.why for one in admit(known, "192.0.2.7")] == ["keys", "rate"]
    assert running.set == ["set table strangers key ::ffff:192.0.2.7 data.gpc0 0 data.gpc0_rate 0 data.conn_rate 0"]


def test_a_source_that_is_not_put_out_may_be_let_in_too(known: EdgeConfig) -> None:
    with haproxy(Path(known.admin_socket), HAProxy().answer):
        assert admit(known, "192.0.2.9") == []


def test_a_source_that_is_put_out_again_at_once_is_told(known: EdgeConfig) -> None:
    with (
        haproxy(Path(known.admin_socket), HAProxy(rate=31, back_at_once=True).answer),
        pytest.raises(Silent, match="again at once"),
    ):
        admit(known, "192.0.2.7")


@pytest.mark.parametrize(
    ("typed", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[2001:DB8:1:2::77]", "2001:db8:1:2::"),
    ],
)
def test_an_address_is_understood(typed: str, source: str) -> None:
    assert parse(typed) == source


@pytest.mark.parametrize("typed", ["", "voice", "192.0.2.0/24", "1.2.3.4; clear table known", "1.2.3.4\nshow info"])
def test_what_is_no_address_never_reaches_haproxy(typed: str) -> None:
    with pytest.raises(UsageFault):
        parse(typed)


# -- the verb ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Be root on a host with the edge of ``host["edge"]``, and keep what is recorded."""
    here: dict[str, Any] = {"edge": EDGE, "was": [], "recorded": []}
    monkeypatch.setattr(config, "load", lambda: CONFIG)
    monkeypatch.setattr(facts, "look", lambda: here["edge"])
    monkeypatch.setattr(verb, "require_root", lambda _: None)
    monkeypatch.setattr(verb, "admit", lambda *_: here["was"])
    monkeypatch.setattr(verb.time, "time", lambda: NOW)
    monkeypatch.setattr(audit, "record", lambda _, **said: here["recorded"].append(said))
    return here


def test_an_edge_that_is_well(host: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert verb.run(EdgeOptions()) is Exit.OK
    assert capsys.readouterr().out == (
        "edge         wss://voice.example.com, port 443: haproxy.service is active for 2 h 0 min (HAProxy 3.0.11)\n"
        "certificate  acme, 60 days left (until 2027-01-24), for voice.example.com, by CN=E7,O=Let's Encrypt,C=US\n"
        "server       127.0.0.1:8765: voice UP\n"
        "connections  12 now, 7 turned away before TLS, 3 known good sources\n"
        "old workers  none\n"
        "put out      nobody\n"
        "full         nobody\n"
    )


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (
            PutOut("192.0.2.7", "keys", 12, 432.0, proven=True),
            "192.0.2.7  12 bad keys, though it made good calls today; back within 7 min 12 s if it is quiet; let it in now: "
            "exotelctl edge admit 192.0.2.7",
        ),
        (PutOut("192.0.2.7", "keys", 1, 432.0), "192.0.2.7  1 bad key; back"),
        (PutOut("192.0.2.7", "rate", 31, 9.0), "192.0.2.7  31 connections in 10 s; back within 9.0 s if it is quiet"),
    ],
)
def test_whom_it_keeps_out_is_shown_with_the_ways_in(
    host: dict[str, Any], capsys: pytest.CaptureFixture[str], one: PutOut, says: str
) -> None:
    host["edge"] = replace(EDGE, **inside(put_out=(one,)))
    assert verb.run(EdgeOptions()) is Exit.OK
    assert f"put out      1 source\n  {says}" in capsys.readouterr().out


@pytest.mark.parametrize(("known", "says"), [(0, "0 known good sources\n"), (1, "1 known good source\n")])
def test_known_sources_are_counted(host: dict[str, Any], capsys: pytest.CaptureFixture[str], known: int, says: str) -> None:
    host["edge"] = replace(EDGE, **inside(known=known))
    assert verb.run(EdgeOptions()) is Exit.OK
    assert says in capsys.readouterr().out


@pytest.mark.parametrize(
    ("address", "changes", "look"),
    [
        ("192.0.2.8", {}, "ss -Htn 'sport = :443 and dst 192.0.2.8'"),
        ("2001:db8:1:2::", {}, "ss -Htn 'sport = :443 and dst [2001:db8:1:2::]/64'"),
        ("192.0.2.8", {"proxy_protocol": True}, "exotelctl logs --edge"),
    ],
)
def test_who_has_all_it_may_is_shown_with_how_to_look(address: str, changes: dict[str, Any], look: str) -> None:
    seen, known = replace(EDGE, **inside(full=(Full(address, 7, 1998),))), replace(CONFIG, **changes)
    said = report.as_text(seen, known, [], NOW)
    why = "7 connections refused in 10 minutes, for it may have 2000 at a time, and has 1998 now"
    assert f"full         1 source\n  {address}  {why}; look: {look}" in said
    assert report.as_json(seen, known, [], NOW)["full"] == [{"address": address, "refused": 7, "connections": 1998}]


def test_only_the_unit_is_looked_at_and_nothing_where_there_is_no_edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def show(units: list[str], _: object) -> dict[str, dict[str, str]]:
        asked.extend(units)
        return {units[0]: {"ActiveState": "inactive", "LoadState": "loaded"}}

    monkeypatch.setattr(facts.systemctl, "show", show)
    assert facts.look_at_unit(tmp_path / "edge.json") == facts.Edge()
    assert asked == []
    seen = facts.look_at_unit(written(tmp_path))
    assert asked == ["haproxy.service"]
    assert seen == facts.Edge(config=seen.config, state=facts.State("inactive"))
    assert judge.not_running(seen) == "haproxy.service is inactive: no new call gets in"


def test_json_keeps_its_keys(host: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert verb.run(EdgeOptions(json=True)) is Exit.OK
    said = json.loads(capsys.readouterr().out)
    assert said.keys() == {
        *("ok", "problems", "domains", "port", "unit", "version", "certificate", "connections", "turned_away", "known"),
        *("servers", "old_workers", "put_out", "full"),
    }
    assert said["certificate"]["days_left"] == 60


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "stopped": ({"state": replace(STATE, active="failed")}, "is failed: no new call gets in; systemctl status haproxy.service"),
    "no TLS": ({"served": None, "no_served": "timed out"}, "no TLS on port 443: timed out"),
    "socket gone": ({"inside": None, "no_inside": "there is no socket"}, "there is no socket"),
    "server down": (inside(servers=(replace(SERVER, status="DOWN"),)), "it finds no server at 127.0.0.1:8765"),
    "old workers": (inside(old=tuple(OldWorker(pid, 9.0, None) for pid in range(4))), "4 old workers pile up"),
    "expired": (served(not_after=NOW - 60), "the certificate expired 1 min 0 s ago"),
    "expires": (served(not_after=NOW + 2 * DAY), "the certificate ends in 2 d 0 h and should have been renewed"),
    "not yet": (served(not_before=NOW + 60), "not valid yet"),
    "wrong name": (served(names=("other.example.com",)), "the certificate is not for voice.example.com"),
    "another in its file": ({"chain": (replace(LEAF, fingerprint="CC"),)}, "another certificate is served"),
}


@pytest.mark.parametrize(("changes", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_and_exits_with_1(
    host: dict[str, Any], capsys: pytest.CaptureFixture[str], changes: dict[str, Any], says: str
) -> None:
    host["edge"] = replace(EDGE, **changes)
    assert verb.run(EdgeOptions()) is Exit.PROBLEM
    said = capsys.readouterr().out
    assert says in said
    assert said.count("❌") == 1


def test_a_look_of_which_nothing_came_is_still_a_report() -> None:
    seen = replace(EDGE, state=None, inside=None, served=None, chain=(), no_served="refused")
    assert "refused" in report.as_text(seen, CONFIG, judge.problems(seen, CONFIG, NOW), NOW)
    assert report.as_json(seen, CONFIG, [], NOW)["certificate"]["days_left"] is None


def test_a_source_that_is_let_in_is_recorded(host: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    host["was"] = [PutOut("192.0.2.7", "rate", 31, 9.0)]
    assert verb.run(EdgeOptions("admit", "192.0.2.7")) is Exit.OK
    assert capsys.readouterr().out == "✅ 192.0.2.7 may come again: it was put out for 31 connections in 10 s\n"
    assert [(said["action"], said["reason"]) for said in host["recorded"]] == [("edge admit", "192.0.2.7")]


def test_nothing_is_recorded_of_a_source_that_was_not_put_out(host: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert verb.run(EdgeOptions("admit", "192.0.2.7", json=True)) is Exit.OK
    assert json.loads(capsys.readouterr().out) == {"ok": True, "address": "192.0.2.7", "was": [], "problem": None}
    assert host["recorded"] == []


def test_admit_and_an_address_go_together(host: dict[str, Any]) -> None:
    with pytest.raises(UsageFault, match="name its address"):
        verb.run(EdgeOptions("admit"))


def test_without_an_edge_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "load", lambda: None)
    with pytest.raises(Refusal, match="this host has no edge"):
        verb.run(EdgeOptions())


def test_without_root_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "load", lambda: CONFIG)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(Refusal, match="needs root"):
        verb.run(EdgeOptions())


def test_the_certificate_of_a_name_is_for_no_other() -> None:
    star = replace(LEAF, names=("*.example.com", "2001:DB8:0:0:0:0:0:1"))
    covered = {
        name: star.covers(name) for name in ("voice.example.com", "a.voice.example.com", "example.com", "2001:db8::1", "::2")
    }
    assert covered == dict.fromkeys(covered, False) | {"voice.example.com": True, "2001:db8::1": True}
    assert SERVED.leaf.covers("VOICE.example.com.")
