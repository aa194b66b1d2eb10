"""A host that cannot have the edge is told why, and what to do."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.filter.edge_keys import edge_keys
from ansible_collections.exotel.voicebot.plugins.plugin_utils.edge_readiness import edge_readiness

PORTS = {"edge_port": 443, "edge_http_port": 80}
BARE: dict[str, Any] = {
    "version": "",
    "candidate": "2.6.12",
    "ipv6": True,
    "edge": False,
    "state": "inactive",
    "ours": False,
    "untouched": False,
    "holders": {443: None, 80: None},
}
SERVES = {
    **BARE,
    "version": "3.0.11",
    "state": "active",
    "ours": True,
    "edge": True,
    "holders": {443: [{"pid": 9, "name": "haproxy", "unit": "haproxy.service"}], 80: None},
}


@pytest.mark.parametrize(
    ("facts", "version"),
    [
        (BARE, "2.6.12"),
        ({**BARE, "candidate": ""}, ""),
        (SERVES, "3.0.11"),
        # Its package has started it, and it serves nobody.
        ({**BARE, "version": "2.4.30", "state": "active", "untouched": True}, "2.4.30"),
    ],
)
def test_a_host_that_can_have_the_edge(facts: dict[str, Any], version: str) -> None:
    assert edge_readiness(facts, PORTS) == {"version": version, "problems": []}


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"version": "2.2.9"}, "HAProxy is 2.2.9 here, but 2.4 is needed"),
        ({"state": "active"}, "a HAProxy with a configuration of somebody else"),
        ({"state": "deactivating", "ours": True}, "HAProxy is being stopped and finishes its calls"),
        (
            {"holders": {80: [{"pid": 5, "name": "nginx", "unit": "nginx.service"}]}},
            "port 80 is held by nginx (pid 5, nginx.service): stop it (systemctl disable --now nginx.service), or set edge_http",
        ),
        (
            {"holders": {443: [{"pid": 6, "name": "python3", "unit": "session-3.scope"}]}},
            "port 443 is held by python3 (pid 6): end it, or set edge_port",
        ),
        (
            {"holders": {443: [{"pid": 1, "name": "systemd", "unit": "init.scope"}]}},
            "port 443 is held by systemd (pid 1): stop that socket",
        ),
    ],
)
def test_what_is_in_the_way_is_named_with_its_cure(facts: dict[str, Any], says: str) -> None:
    [problem] = edge_readiness({**BARE, **facts}, PORTS)["problems"]
    assert problem.startswith(says)


def test_a_foreign_haproxy_on_the_port_is_in_the_way() -> None:
    assert edge_readiness({**SERVES, "ours": False, "untouched": True}, PORTS)["problems"]


def test_keys_are_compared_whole_and_by_their_token_and_in_base64() -> None:
    lists = edge_keys(["a:#token", "b:other!"])
    assert lists["tokens.lst"] == "YTojdG9rZW4=\nI3Rva2Vu\nYjpvdGhlciE=\nb3RoZXIh\n"
    assert lists["basic.lst"] == "YTojdG9rZW4\nI3Rva2Vu\nYjpvdGhlciE\nb3RoZXIh\n"
    assert edge_keys([]) == {"basic.lst": "", "tokens.lst": ""}
