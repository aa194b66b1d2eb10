"""Calls go to the host that the inventory means, never to the controller instead."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import connection_loader
from ansible.template import Templar
from ansible_collections.exotel.voicebot.plugins.lookup.reach import LookupModule
from ansible_collections.exotel.voicebot.plugins.plugin_utils.reach import applet_url, call_url, host, in_url, ssh_host_name

from tests.lab.labhost import play


@pytest.fixture(autouse=True)
def ssh_config(tmp_path: Path) -> Path:
    """Write an ssh_config for this test, as ``-F`` gives it."""
    file = tmp_path / "ssh config"
    file.write_text("Host voicebot-prod\n  HostName 203.0.113.7\n  ProxyJump bastion\nHost *.short\n  HostName %h.example.com\n")
    ssh_host_name.cache_clear()
    return file


@pytest.mark.parametrize(
    ("variables", "public", "found"),
    [
        ({"inventory_hostname": "203.0.113.10"}, "", "203.0.113.10"),
        ({"inventory_hostname": "bot.example.com"}, "", "bot.example.com"),
        ({"inventory_hostname": "voicebot-1", "ansible_host": "203.0.113.10"}, "", "203.0.113.10"),
        ({"inventory_hostname": "voicebot-1", "ansible_ssh_host": "203.0.113.10"}, "", "203.0.113.10"),
        ({"inventory_hostname": "voicebot-1", "ansible_host": "203.0.113.10"}, "bot.example.com", "bot.example.com"),
        ({"inventory_hostname": "voicebot-1", "ansible_host": ""}, "", "voicebot-1"),
        ({"inventory_hostname": "2001:db8::1"}, "", "2001:db8::1"),
        ({"inventory_hostname": "voicebot-1", "ansible_host": "[2001:db8::1]"}, "", "2001:db8::1"),
        ({"inventory_hostname": "voicebot-prod"}, "", "203.0.113.7"),
        ({"inventory_hostname": "one", "ansible_host": "voicebot-prod"}, "", "203.0.113.7"),
        ({"inventory_hostname": "web.short"}, "", "web.short.example.com"),
        ({"inventory_hostname": "voicebot-prod", "ansible_connection": "local"}, "", "voicebot-prod"),
        ({"inventory_hostname": "localhost", "ansible_connection": "local"}, "", "localhost"),
    ],
)
def test_the_name_or_address(variables: Mapping[str, str], public: str, found: str, ssh_config: Path) -> None:
    assert host({"ansible_ssh_common_args": f"-F '{ssh_config}'", **variables}, public, "") == found


def test_a_configuration_of_ssh_that_cannot_be_read_is_none() -> None:
    assert ssh_host_name("voicebot-1", "-F /nonexistent") == "voicebot-1"
    assert ssh_host_name("voicebot-1", "'", "ssh") == "voicebot-1"
    assert ssh_host_name("voicebot-1", "", "/nonexistent") == "voicebot-1"


def test_a_name_is_no_option_of_ssh(tmp_path: Path) -> None:
    assert ssh_host_name(f"-oProxyCommand=touch {tmp_path}/x", "") == f"-oProxyCommand=touch {tmp_path}/x"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("name", "written"), [("2001:db8::1", "[2001:db8::1]"), ("a.b", "a.b"), ("203.0.113.1", "203.0.113.1")])
def test_in_a_url(name: str, written: str) -> None:
    assert in_url(name) == written


@pytest.mark.parametrize(
    ("name", "paths", "url"),
    [
        ("203.0.113.7", [], "ws://203.0.113.7:8765"),
        ("2001:db8::1", ["/media", "/other"], "ws://[2001:db8::1]:8765/media"),
    ],
)
def test_the_url_of_calls_and_of_the_applet(name: str, paths: list[str], url: str) -> None:
    assert call_url(name, 8765, paths) == url
    assert applet_url(url, 16000, credential=False) == f"{url}?sample-rate=16000"
    assert applet_url(url, 8000, credential=True) == f"ws://USER:TOKEN@{url.removeprefix('ws://')}?sample-rate=8000"


@pytest.mark.parametrize(
    ("name", "port", "paths", "url"),
    [
        ("voice.example.com", 443, [], "wss://voice.example.com"),
        ("voice.example.com", 8443, ["/media"], "wss://voice.example.com:8443/media"),
        ("2001:db8::1", 443, ["/media"], "wss://[2001:db8::1]/media"),
    ],
)
def test_the_url_of_an_edge(name: str, port: int, paths: list[str], url: str) -> None:
    assert call_url(name, port, paths, tls=True) == url
    assert applet_url(url, 8000, credential=True) == f"wss://USER:TOKEN@{url.removeprefix('wss://')}?sample-rate=8000"


def names(edge: str | None = None, **variables: Any) -> dict[str, Any]:
    """Return what the lookup says of the host voicebot-1, whose address is 203.0.113.10, with this ``edge.json`` in base64."""
    of_host = {"inventory_hostname": "voicebot-1", "ansible_host": "203.0.113.10"}
    loader = DataLoader()
    connection_loader.get("ssh", class_only=True)  # Its options are known once it is loaded.
    lookup = LookupModule(loader=loader, templar=Templar(loader=loader))
    [found] = lookup.run([], {**variables, **of_host, "hostvars": {"voicebot-1": of_host}}, edge=edge)
    return dict(found)


@pytest.mark.parametrize(
    ("variables", "url", "ports"),
    [
        ({}, "ws://203.0.113.10:8765", [8765]),
        ({"edge_domain": ["voice.example.com"]}, "ws://203.0.113.10:8765", [8765]),
        ({"exotel_ws_edge": True, "edge_domain": "voice.example.com,b.example.com"}, "wss://voice.example.com", [443, 80]),
        ({"exotel_ws_edge": True, "exotel_ws_public_host": "a.example.com"}, "wss://a.example.com", [443, 80]),
        ({"exotel_ws_edge": True, "edge_certificate": "self_signed", "edge_port": 8443}, "wss://203.0.113.10:8443", [8443]),
    ],
)
def test_the_url_and_the_ports_of_a_host(variables: dict[str, Any], url: str, ports: list[int]) -> None:
    found = names(**variables)
    assert (found["url"], found["ports"]) == (url, ports)
    assert found["applet_url"] == f"{url}?sample-rate=8000"


def told(**settings: Any) -> str:
    """Return an ``edge.json`` in base64."""
    edge = {"domains": ["voice.example.com"], "certificate": "acme", "port": 443, "http_port": 80, "acme_ca_file": "", **settings}
    return base64.b64encode(json.dumps(edge).encode()).decode()


WANTED = {"exotel_ws_edge": True, "edge_domain": ["voice.example.com"]}


@pytest.mark.parametrize(
    ("edge", "url", "ports", "private_ca"),
    [
        (told(), "wss://voice.example.com", [443, 80], False),
        (told(certificate="self_signed", port=8443), "wss://voice.example.com:8443", [8443], True),
        (told(acme_ca_file="/etc/exotel-edge/acme-ca.pem"), "wss://voice.example.com", [443, 80], True),
        ("", "ws://203.0.113.10:8765", [8765], False),
        (None, "ws://203.0.113.10:8765", [8765], False),
    ],
)
def test_a_host_with_an_edge_that_the_inventory_does_not_know_is_called_by_it(
    edge: str | None, url: str, ports: list[int], private_ca: bool
) -> None:
    found = names(edge)
    assert (found["url"], found["ports"], found["private_ca"]) == (url, ports, private_ca)


def test_a_host_without_the_edge_that_the_inventory_wants_is_called_as_it_serves() -> None:
    assert names("", **WANTED)["url"] == "ws://203.0.113.10:8765"
    assert names(None, **WANTED)["url"] == "wss://voice.example.com"


@pytest.mark.parametrize(
    ("edge", "variables", "says"),
    [
        (told(), {}, "exotel_ws_edge: false, but this host has an edge, wss://voice.example.com"),
        ("", WANTED, "exotel_ws_edge: true, but this host has no edge yet: deploy"),
        (
            told(domains=["a.example.com", "b.example.com"], certificate="files"),
            WANTED,
            "edge_domain is voice.example.com in the inventory, but a.example.com, b.example.com on this host; "
            "edge_certificate is acme in the inventory, but files on this host: deploy",
        ),
        (told(), WANTED, ""),
        (told(), {"exotel_ws_edge": True}, ""),
        ("", {}, ""),
        (None, WANTED, ""),
        (base64.b64encode(b"{").decode(), WANTED, ""),
        (base64.b64encode(b"[1]").decode(), {}, ""),
        ("?", {}, ""),
    ],
)
def test_what_an_inventory_and_its_host_differ_in_is_told_in_a_line(
    edge: str | None, variables: dict[str, Any], says: str
) -> None:
    disagreement = names(edge, **variables)["disagreement"]
    assert says in disagreement if says else disagreement == ""
    assert "\n" not in disagreement


LOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "called at <{{ lookup('exotel.voicebot.reach').url_host }}>"
      delegate_to: localhost
"""


@pytest.mark.parametrize(
    ("inventory", "typed", "url_host"),
    [
        ("203.0.113.10,", "", "203.0.113.10"),
        ("voicebot-1,", "ansible_host=203.0.113.10", "203.0.113.10"),
        ("voicebot-1,", "exotel_ws_public_host=2001:db8::1", "[2001:db8::1]"),
        ("bot.example.com,", "", "bot.example.com"),
    ],
)
@pytest.mark.slow
def test_a_delegated_task_names_the_host_and_not_the_controller(
    inventory: str, typed: str, url_host: str, tmp_path: Path
) -> None:
    playbook = tmp_path / "look.yml"
    playbook.write_text(LOOK)
    done = play(str(playbook), "-i", inventory, *(("-e", typed) if typed else ()), timeout=60)
    assert f"called at <{url_host}>" in done.stdout, done.stdout
