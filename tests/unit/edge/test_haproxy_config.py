"""The configuration of HAProxy as the role renders it: HAProxy accepts it, and its limits stand where they hold."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLES = Path(__file__).parents[3] / "roles"
LOOKUP = re.compile(r"lookup\('exotel\.voicebot\.variable', '(\w+)'\)")
KEYS = {"basic.lst": "S0VZOmE=\n", "tokens.lst": "YQ==\n"}
EACH: dict[str, dict[str, Any]] = {
    "keys": {},
    "no keys": {"exotel_ws_credentials": []},
    "key in start": {"edge_key_in_start": True, "exotel_ws_paths": ["/a'b", "/c"]},
    "self-signed": {"edge_certificate": "self_signed"},
    "proxy protocol": {"exotel_ws_proxies": ["203.0.113.9"], "exotel_ws_proxy_protocol": True},
    "passthru": {"exotel_ws_mode": "ai", "exotel_ws_ai_keys": {"passthru": "a-secret-of-nobody"}},
    "moving": {"_edge_moved_from": 8770},
    "listed": {"edge_known_sources": ["198.51.100.0/24"], "exotel_ws_metrics_sources": ["2001:db8::/64"]},
}


def rendered(version: str = "2.6", **changes: Any) -> list[str]:
    """Return the configuration's lines for an edge with these variables, which have their types."""
    given: dict[str, Any] = {}
    for file in ("exotel_ws/defaults/main.yml", "edge/defaults/main.yml", "edge/vars/main.yml"):
        given |= yaml.safe_load(LOOKUP.sub(r"\1", (ROLES / file).read_text()))
    given |= {"edge_domain": ["voice.example.com"], "exotel_ws_credentials": ["KEY:a-token-of-nobody"]}
    given |= {"_edge_version": version, "_edge_addresses": ["0.0.0.0", "[::]"], "_edge_moved_from": 0, **changes}
    try:
        from ansible.template import trust_as_template
    except ImportError:  # ansible-core before 2.19

        def trust_as_template(text: str) -> str:  # type: ignore[misc]
            return text

    def trusted(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: trusted(part) for name, part in value.items()}
        if isinstance(value, list):
            return [trusted(part) for part in value]
        return trust_as_template(value) if isinstance(value, str) else value

    text = (ROLES / "edge/templates/haproxy.cfg.j2").read_text().removeprefix("# {{ ansible_managed }}\n")
    return str(Templar(loader=DataLoader(), variables=trusted(given)).template(trust_as_template(text))).splitlines()


def section(lines: list[str], name: str) -> list[str]:
    """Return the settings of a section, without comments."""
    begins = lines.index(name) + 1
    ends = next((number for number, line in enumerate(lines[begins:], begins) if line[:1].strip("# ")), len(lines))
    return [line.strip() for line in lines[begins:ends] if line.strip() and not line.strip().startswith("#")]


@pytest.mark.parametrize("changes", EACH.values(), ids=EACH)
def test_haproxy_accepts_it(tmp_path: Path, changes: dict[str, Any]) -> None:
    haproxy = shutil.which("haproxy")
    if haproxy is None:
        pytest.skip("there is no HAProxy here (apt install haproxy)")
    version = subprocess.run([haproxy, "-v"], capture_output=True, text=True, check=True).stdout.split()[2].partition("-")[0]
    (tmp_path / "keys").mkdir()
    for name, text in KEYS.items():
        (tmp_path / "keys" / name).write_text(text)
    (tmp_path / "servers").write_text("1\n")
    made = [
        sys.executable,
        str(ROLES / "edge/files/certificate"),
        "self-sign",
        "--out",
        str(tmp_path / "certificate.pem"),
        "a.example",
    ]
    subprocess.run(made, check=True, capture_output=True)
    text = "\n".join(rendered(version, **changes)) + "\n"
    for folder in ("/etc/exotel-edge", "/run/exotel-edge", "/run/haproxy"):
        text = text.replace(folder, str(tmp_path))
    (tmp_path / "haproxy.cfg").write_text(text)
    done = subprocess.run([haproxy, "-c", "-f", str(tmp_path / "haproxy.cfg")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_no_account_but_haproxys_can_write_its_tables() -> None:
    lines = rendered()
    assert section(lines, "peers edge") == [
        "bind unix@/run/exotel-edge/peers mode 600 user haproxy group haproxy",
        "server edge",
    ]
    # For a worker the same path leads there only from this root.
    assert "chroot /run/exotel-edge" in section(lines, "global")


@pytest.mark.parametrize("stages", [["connection"], ["connection", "session"]], ids=["plain", "proxy protocol"])
def test_a_source_of_good_calls_is_bounded_before_tls_and_a_listed_one_is_not(stages: list[str]) -> None:
    rules = section(rendered(edge_known_connections=77, exotel_ws_proxy_protocol=len(stages) > 1), "frontend wss")
    for stage in stages:
        first, *others = [rule for rule in rules if rule.startswith(f"tcp-request {stage} ") and "from_proxy" not in rule]
        assert first.startswith(f"tcp-request {stage} accept if known_source")
        assert others[:4] == [
            f"tcp-request {stage} track-sc0 src,ipmask(32,64) table held if proven_source",
            f"tcp-request {stage} sc-inc-gpc1(0) if proven_source {{ sc0_conn_cur gt 77 }}",
            f"tcp-request {stage} reject if proven_source {{ sc0_conn_cur gt 77 }}",
            f"tcp-request {stage} accept if proven_source",
        ]


def test_what_is_counted_of_them_renews_nothing_that_is_known() -> None:
    lines = rendered()
    assert section(lines, "backend held") == ["stick-table type ipv6 size 20k expire 10m store conn_cur,gpc1,gpc1_rate(10m)"]
    assert [rule for rule in lines if "table known" in rule and "track" in rule] == [
        "    http-response track-sc2 src,ipmask(32,64) table known if { res.hdr(X-Exotel-Proven) 1 }"
    ]


@pytest.mark.parametrize(
    ("changes", "passes"),
    [(EACH["passthru"], True), ({"exotel_ws_ai_keys": EACH["passthru"]["exotel_ws_ai_keys"]}, False), ({}, False)],
    ids=["secret", "echo", "none"],
)
def test_what_exotel_asks_after_a_call_passes_where_there_is_a_secret(changes: dict[str, Any], passes: bool) -> None:
    rules = section(rendered(**changes), "frontend wss")
    assert ("acl passthru path_beg /exotel/next/" in rules) == passes
    refusals = [rule for rule in rules if "if !upgrade !health" in rule]
    assert len(refusals) == 3
    assert all("!passthru" in rule for rule in refusals)
    # The secret is nowhere: the voice server judges it, and the edge counts what it says.
    assert "a-secret-of-nobody" not in "\n".join(rules)
    assert "http-response sc-inc-gpc0(0) if { var(txn.passthru) -m found } { status 404 }" in rules


def test_one_source_cannot_have_all_of_port_80() -> None:
    rules = section(rendered(), "frontend http")
    most = int(next(rule.split()[1] for rule in rules if rule.startswith("maxconn ")))
    track, reject = (rule for rule in rules if rule.startswith("tcp-request "))
    assert track == "tcp-request connection track-sc0 src,ipmask(32,64) table asking"
    assert reject == "tcp-request connection reject if { sc0_conn_cur gt 20 }"
    assert most == 200
    assert {"timeout client 3s", "timeout http-request 3s"} <= set(rules)


def test_while_the_server_moves_the_edge_leads_to_both_places() -> None:
    assert [line for line in section(rendered(), "backend voice") if line.startswith("server ")] == [
        "server voice 127.0.0.1:8765 check inter 2s fastinter 1s downinter 500ms fall 5 rise 1"
    ]
    moving = section(rendered(_edge_moved_from=8770), "backend voice")
    assert moving[-1] == "server voice_before 127.0.0.1:8770 check inter 2s fastinter 1s downinter 500ms fall 5 rise 1 backup"
    assert "option redispatch 1" in moving
