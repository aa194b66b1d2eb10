"""Openings of a worker's sandbox, by the server's settings and the host's resolver."""

import ipaddress
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.exotel.voicebot.plugins.filter.sandbox import sandbox
from ansible_collections.exotel.voicebot.plugins.plugin_utils.reachable_networks import RELAY, reachable_networks

METADATA = ["169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "168.63.129.16", "100.100.100.200"]
PUBLIC = {"stt": ["deepgram"], "tts": ["elevenlabs"]}


def reached(address: str, rules: dict[str, Any]) -> bool:
    """Judge as systemd does: allowed addresses go first."""
    at = ipaddress.ip_address(address)

    def among(networks: list[str]) -> bool:
        return any(at in ipaddress.ip_network(network) for network in networks)

    return among(rules["allow"]) or not among(rules["deny"])


def service(**told: Any) -> dict[str, Any]:
    return {"llm": ["mine"], "services": {"mine": {"use": "openai", **told}}}


@pytest.mark.parametrize(
    ("settings", "networks"),
    [
        (PUBLIC, []),
        ({"webhook_url": "http://169.254.169.254/computeMetadata/v1/"}, []),
        ({"webhook_url": "http://[::ffff:169.254.169.254]/"}, []),
        (service(base_url="http://metadata.google.internal/v1"), []),
        (service(base_url="http://10.1.2.3/v1"), ["169.254.0.0/16", "100.64.0.0/10", "fd00::/8", "168.63.129.0/24"]),
        (PUBLIC, ["0.0.0.0/0", "::/0"]),
    ],
)
@pytest.mark.parametrize("resolver", ["", "nameserver 127.0.0.53", "nameserver 169.254.169.254", "nameserver 168.63.129.16"])
def test_a_metadata_service_is_never_reached(settings: dict[str, Any], networks: list[str], resolver: str) -> None:
    rules = reachable_networks(resolver, settings, networks)
    assert not [address for address in METADATA if reached(address, rules)]


LINK_LOCAL = ["169.254.7.7", "fe80::1", "64:ff9b::a9fe:a9fe"]
PRIVATE = ["10.0.0.1", "172.20.0.1", "192.168.1.1", "fd12::1"]


@pytest.mark.parametrize("address", [*LINK_LOCAL, *PRIVATE])
def test_what_no_setting_names_is_not_reached_and_the_world_and_the_host_are(address: str) -> None:
    rules = reachable_networks("nameserver 127.0.0.53", PUBLIC)
    assert not reached(address, rules)
    assert reached("203.0.113.9", rules)
    assert reached("2001:db8::9", rules)
    assert reached("127.0.0.1", rules)
    assert reached("::1", rules)


@pytest.mark.parametrize(
    ("settings", "reachable", "not_reachable"),
    [
        (service(base_url="http://10.1.2.3:8000/v1"), "10.1.2.3", "10.1.2.4"),
        (service(base_url="http://[fd12::7]/v1"), "fd12::7", "fd12::8"),
        (service(options={"endpoint": "10.1.2.3:50051"}), "10.1.2.3", "10.1.2.4"),
        ({"webhook_url": "https://192.168.1.7/hook"}, "192.168.1.7", "10.1.2.3"),
        ({"ended_url": "https://192.168.1.7/ended"}, "192.168.1.7", "10.1.2.3"),
        ({"tools": {"order": {"url": "https://192.168.1.7/orders"}}}, "192.168.1.7", "10.1.2.3"),
        ({"tools": {"order": {"url": "https://crm.corp.example/orders"}}}, "10.1.2.3", "169.254.169.254"),
        (service(base_url="http://127.0.0.1:8000/v1"), "127.0.0.1", "10.1.2.3"),
        (service(base_url="http://localhost:8000/v1"), "127.0.0.1", "10.1.2.3"),
        (service(base_url="http://llm.corp.example/v1"), "10.1.2.3", "169.254.1.1"),
        (service(base_url="llm.corp.example:443"), "10.1.2.3", "169.254.1.1"),
        (service(options={"voice_style": "warm.calm", "model": "a.b"}), "203.0.113.1", "10.1.2.3"),
    ],
)
def test_what_a_setting_names_is_reached_and_by_a_name_any_private_address(
    settings: dict[str, Any], reachable: str, not_reachable: str
) -> None:
    rules = reachable_networks("nameserver 127.0.0.53", settings)
    assert reached(reachable, rules)
    assert not reached(not_reachable, rules)


def test_the_hosts_resolver_is_reached_wherever_it_is() -> None:
    text = "search corp.example\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\nnameserver 169.254.169.253\n"
    rules = reachable_networks(text, PUBLIC)
    assert all(reached(address, rules) for address in ("10.0.0.2", "fe80::1", "169.254.169.253"))
    assert not reached("10.0.0.3", rules)
    assert (rules["relay"], rules["resolv_conf"]) == ("", "")


@pytest.mark.parametrize("resolver", ["169.254.169.254", "168.63.129.16", "fd20:ce::254"])
def test_a_resolver_at_a_metadata_service_is_asked_through_the_relay_by_tcp(resolver: str) -> None:
    text = f"# by dhclient\ndomain c.project.internal\nsearch c.project.internal google.internal.\nnameserver {resolver}\n"
    rules = reachable_networks(text, PUBLIC)
    assert rules["relay"] == resolver
    lines = rules["resolv_conf"].splitlines()
    assert [line for line in lines if line.startswith("nameserver")] == [f"nameserver {RELAY}"]
    assert "search c.project.internal google.internal." in lines
    assert "options use-vc" in lines
    assert reached(RELAY, rules)


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        reachable_networks("", PUBLIC, ["10.0.0"])


def settings(mode: str = "ai", max_calls: int = 500, **ai: Any) -> dict[str, Any]:
    return {"mode": mode, "limits": {"max_calls": max_calls}, **({"ai": ai} if mode == "ai" else {})}


EMBEDDED: dict[str, Any] = {"stt": ["embedded"], "llm": "embedded"}


@pytest.mark.parametrize(
    ("table", "needed"),
    [
        (settings("echo"), False),
        (settings(), False),
        (settings(**EMBEDDED), False),
        (settings(**EMBEDDED, tts=["elevenlabs"]), True),
        (settings(**EMBEDDED, tts=["embedded", "elevenlabs"]), True),
        (settings(**EMBEDDED, bots={"a": {"tts": ["elevenlabs"]}, "b": {}}), True),
        (settings(**EMBEDDED, bots={"a": {"tts": ["embedded"], "stt": []}}), False),
        (settings(**EMBEDDED, bots="none"), False),
        (settings(**EMBEDDED, start_url="https://203.0.113.9/who"), True),
        (settings(**EMBEDDED, webhook_url=""), False),
        (settings(**EMBEDDED, webhook_url="https://203.0.113.9/hook"), True),
        (settings(**EMBEDDED, ended_url=""), False),
        (settings(**EMBEDDED, ended_url="https://203.0.113.9/ended"), True),
        (settings(**EMBEDDED, tools={}), False),
        (settings(**EMBEDDED, tools={"order": {"url": "http://127.0.0.1:9000/", "loopback": True}}), True),
        ({**settings("echo"), "ai": {"stt": ["deepgram"]}}, False),
    ],
)
def test_a_worker_has_a_network_only_if_a_service_is_elsewhere(table: dict[str, Any], needed: bool) -> None:
    made = sandbox(table, "nameserver 169.254.169.254")
    assert made["needs_network"] is needed
    assert bool(made["network"]["deny"]) is needed
    assert bool(made["network"]["relay"]) is needed


def test_networks_and_the_resolver_are_handed_on() -> None:
    table = settings(stt=["deepgram"])
    assert sandbox(table, "nameserver 10.0.0.2", ["10.1.0.0/16"])["network"] == reachable_networks(
        "nameserver 10.0.0.2", table["ai"], ["10.1.0.0/16"]
    )


@pytest.mark.parametrize(
    ("record", "directory"),
    [
        ({}, ""),
        ({"transcripts": False, "audio": False, "directory": "/srv/calls"}, ""),
        ({"transcripts": True}, "/var/lib/exotel-ws/calls"),
        ({"audio": True, "directory": "/srv/calls"}, "/srv/calls"),
    ],
)
def test_a_worker_may_write_where_calls_are_recorded(record: dict[str, Any], directory: str) -> None:
    assert sandbox(settings(record=record))["record_directory"] == directory


@pytest.mark.parametrize(
    ("ai", "directory"),
    [
        ({}, ""),
        ({"spool": {"directory": "/srv/ended"}}, ""),
        ({"ended_url": "https://203.0.113.9/ended"}, "/var/lib/exotel-ws/ended"),
        ({"ended_url": "https://203.0.113.9/ended", "spool": {"directory": "/srv/ended"}}, "/srv/ended"),
    ],
)
def test_a_worker_may_write_where_reports_wait(ai: dict[str, Any], directory: str) -> None:
    assert sandbox(settings(**ai))["spool_directory"] == directory


@pytest.mark.parametrize(
    ("table", "bound", "memory"),
    [
        (settings("echo"), 0, 756),
        (settings("echo", 50), "0", 306),
        (settings(), 0, 2024),
        ({**settings(), "ai": {"max_calls": 100}}, 0, 5024),
        (settings("echo"), 2000, 2000),
        (settings(), "3000", 3000),
    ],
)
def test_a_worker_has_its_memory_bounded(table: dict[str, Any], bound: int | str, memory: int) -> None:
    assert sandbox(table, memory_mb=bound)["memory_mb"] == memory


@pytest.mark.parametrize(
    ("table", "networks", "said"), [({}, [], "no mode"), (settings(stt=["deepgram"]), ["10.0.0"], "does not appear")]
)
def test_what_is_no_setting_and_no_network_is_refused(table: dict[str, Any], networks: list[str], said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        sandbox(table, networks=networks)
