"""Variables of the edge: where the server listens, which ports stand open, and contradictions with their cures."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.plugin_utils import edge, server_settings
from ansible_collections.exotel.voicebot.plugins.plugin_utils.variables import settled, specs

TOLD = {"exotel_ws_edge": True, "edge_domain": ["voice.example.com"], "edge_acme_terms_agreed": True}
KEY = "KEY:a-token-of-nobody"


def value(values: dict[str, Any], name: str) -> Any:
    return settled(name, values.get(name, specs()[name]["default"]))


def test_behind_an_edge_the_server_listens_on_loopback_and_believes_the_edge_and_the_proxies_in_front() -> None:
    table = server_settings.settings({**TOLD, "exotel_ws_proxies": "203.0.113.9,127.0.0.1"})
    assert table["host"] == "127.0.0.1"
    assert table["limits"]["proxies"] == ["127.0.0.1", "::1", "203.0.113.9"]


def test_without_an_edge_nothing_changes() -> None:
    table = server_settings.settings({})
    assert (table["host"], table["limits"]) == ("0.0.0.0", {"max_calls": 500})
    assert "proxy_protocol" not in table


def test_the_proxy_protocol_is_taken_by_the_edge_if_there_is_one_else_by_the_server() -> None:
    said = {"exotel_ws_proxy_protocol": "yes", "exotel_ws_proxies": "203.0.113.9"}
    assert server_settings.settings(said)["proxy_protocol"] is True
    assert "proxy_protocol" not in server_settings.settings({**TOLD, **said})


@pytest.mark.parametrize(
    ("values", "ports"),
    [
        ({"exotel_ws_port": "9000"}, [9000]),
        (TOLD, [443, 80]),
        ({**TOLD, "edge_certificate": "self_signed", "edge_port": 8443}, [8443]),
        ({**TOLD, "edge_http_port": 8080}, [443, 8080]),
    ],
)
def test_the_ports_that_have_to_stand_open(values: dict[str, Any], ports: list[int]) -> None:
    assert edge.public_ports(partial(value, values)) == ports


@pytest.mark.parametrize(
    "values",
    [
        TOLD,
        {**TOLD, "edge_domain": [], "exotel_ws_public_host": "voice.example.com"},
        {**TOLD, "exotel_ws_host": "127.0.0.1", "exotel_ws_settings": {"host": "127.0.0.1", "port": 8765}},
        {"exotel_ws_edge": True, "edge_certificate": "self_signed"},
        {"exotel_ws_edge": True, "edge_certificate": "files", "edge_certificate_chain": "c.pem", "edge_certificate_key": "k.pem"},
        {**TOLD, "edge_key_in_start": True, "exotel_ws_credentials": [KEY]},
        {**TOLD, "exotel_ws_settings": {"limits": {"proxies": ["127.0.0.1", "::1", "203.0.113.9"]}}},
        # Nothing of an edge is looked at where there is none.
        {"edge_port": 8765, "edge_certificate_chain": "c.pem", "edge_key_in_start": True},
    ],
)
def test_what_goes_together(values: dict[str, Any]) -> None:
    assert server_settings.faults(values) == []


@pytest.mark.parametrize(
    ("values", "begins", "ends"),
    [
        ({"edge_acme_terms_agreed": False}, "edge_acme_terms_agreed is false, but https://acme-v02.", "(for tests) or files"),
        ({"edge_domain": []}, "edge_domain is empty, but a certificate is for a name", "to a name that leads to this host"),
        ({"exotel_ws_host": "::"}, "exotel_ws_host is ::, but with exotel_ws_edge", "delete exotel_ws_host"),
        ({"edge_port": 8765}, "exotel_ws_port and edge_port are both 8765", "a port of its own"),
        ({"edge_http_port": 443}, "edge_port and edge_http_port are both 443", "a port of its own"),
        ({"exotel_ws_port": 302}, "exotel_ws_port is 302, on which certbot answers", "take another port"),
        (
            {"edge_max_connections": 600},
            "edge_known_connections is 1000, but edge_max_connections is 600, so that one source",
            "such as 300",
        ),
        ({"edge_key_in_start": True}, "edge_key_in_start is true, but there is no key", "or delete edge_key_in_start"),
        ({"edge_certificate_chain": "c.pem"}, "edge_certificate_chain is set, but edge_certificate is acme", "_chain"),
        (
            {"edge_certificate": "files", "edge_certificate_chain": "c.pem"},
            "edge_certificate_key is empty, but edge_certificate is files",
            "the private key as PEM",
        ),
        ({"exotel_ws_open_metrics": True}, "exotel_ws_open_metrics is true, but the edge", "in exotel_ws_metrics_sources"),
        ({"exotel_ws_proxy_protocol": True}, "exotel_ws_proxy_protocol is true, but no balancer", "in exotel_ws_proxies"),
        (
            {"exotel_ws_settings": {"host": "0.0.0.0"}},
            'exotel_ws_settings: host is "0.0.0.0", but with',
            "from exotel_ws_settings",
        ),
        (
            {"exotel_ws_settings": {"limits": {"proxies": ["203.0.113.9"]}}},
            'exotel_ws_settings: limits.proxies is ["203.0.113.9"] and leaves the edge out',
            "in exotel_ws_proxies",
        ),
    ],
)
def test_a_contradiction_is_told_with_its_cure(values: dict[str, Any], begins: str, ends: str) -> None:
    [told] = server_settings.faults({**TOLD, **values})
    assert told.startswith(begins)
    assert told.endswith(ends)


def test_a_setting_of_the_proxy_protocol_is_refused_behind_an_edge() -> None:
    told = edge.contradictions(partial(value, TOLD), {"proxy_protocol": True})
    assert [sentence.partition(",")[0] for sentence in told] == ["exotel_ws_settings: proxy_protocol is true"]


def test_all_contradictions_are_told_at_once() -> None:
    told = server_settings.faults({"exotel_ws_edge": True, "edge_key_in_start": True, "exotel_ws_host": "203.0.113.7"})
    assert [sentence.partition(" ")[0] for sentence in told] == [
        "exotel_ws_host", "edge_acme_terms_agreed", "edge_domain", "edge_key_in_start"
    ]  # fmt: skip
