"""Refusals of an edge that ``verify`` proves, each with the fault that is told where something gets through."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exotel_phone.exits import UsageFault
from exotel_phone.reach import Fault
from exotelctl.doctor import bundle
from exotelctl.doctor.facts.call import Http
from exotelctl.edge.config import EdgeConfig
from exotelctl.verify import look, refusals, steps
from exotelctl.verify.refusals import Refusals

from tests.unit.tools.doctor_facts import OUTSIDE, healthy

EDGE = EdgeConfig(("voice.example.com",), "acme", keys_asked=True)
SAID = {"domains": ["voice.example.com", "198.51.100.7"], "certificate": "self_signed", "port": 8443, "keys_asked": True}
PUT_OUT = Fault("reset", "voice.example.com took the connection and closed it", "wss://")
FINE = Refusals(Http(404), "", Http(401), Http(401))


def proven(seen: Refusals, edge: EdgeConfig = EDGE, *, metrics_sources: bool = False) -> list[str]:
    """Return the proofs, and what is wrong with the first step that fails."""
    found = steps.up_to_fault(refusals.steps(seen, edge, 8765, metrics_sources=metrics_sources))
    return [f"!! {step.wrong.says}" if step.wrong else step.proof for step in found]


def test_an_edge_that_refuses_what_it_has_to() -> None:
    assert proven(FINE) == [
        "a call without a key is refused: 401",
        "a call with a wrong key is refused: 401",
        "/metrics is not shown to this machine: 404",
        "tcp:8765 is closed to this machine: nobody gets past the edge",
    ]


def test_without_keys_none_is_tried_and_that_is_said() -> None:
    first, *_ = proven(replace(FINE, without_key=None, wrong_key=None), replace(EDGE, keys_asked=False))
    assert first.startswith("no key is asked for (exotel_ws_credentials is empty)")


def test_a_key_in_the_start_message_is_asked_for_there() -> None:
    later = replace(EDGE, key_in_start=True)
    seen = replace(FINE, without_key=Http(101), at_start="the server closed with 1008")
    assert proven(seen, later)[0] == "a call without a key is refused at its start: the server closed with 1008"
    assert proven(replace(seen, at_start=""), later) == ["!! a call whose start message has no key is answered"]
    assert proven(FINE, later)[0] == "a call without a key is refused: 401"


def test_over_loopback_nothing_is_learnt_of_the_servers_port() -> None:
    assert len(proven(replace(FINE, plain_open=None))) == 3


def test_metrics_may_be_shown_to_a_machine_that_is_listed() -> None:
    assert "one of exotel_ws_metrics_sources" in proven(replace(FINE, metrics=Http(200)), metrics_sources=True)[2]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"without_key": Http(101)}, "a call without a key gets HTTP 101, not 401"),
        ({"wrong_key": Http(101)}, "a call with a wrong key gets HTTP 101, not 401"),
        ({"wrong_key": Http(trouble=PUT_OUT)}, f"a call with a wrong key gets no answer: {PUT_OUT.cause}"),
        ({"metrics": Http(200)}, "/metrics gets HTTP 200 here, not 404: strangers may read what calls there are"),
        ({"metrics": Http(trouble=PUT_OUT)}, f"/metrics: {PUT_OUT.cause}"),
        ({"plain_open": "198.51.100.7"}, "tcp:8765 of 198.51.100.7 takes connections from here, past the edge"),
    ],
)
def test_what_gets_through_is_told(changed: dict[str, Any], says: str) -> None:
    assert proven(replace(FINE, **changed))[-1] == f"!! {says}"


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Return the directory of a host that has an edge."""
    bundle.write(tmp_path / "bundle.tar", healthy())
    (tmp_path / "paths.toml").write_text('paths = ["/media"]\nmetrics_sources = ["192.0.2.9"]\n')
    (tmp_path / "edge.json").write_text(json.dumps(SAID))
    (tmp_path / "chain.pem").write_text("")
    return tmp_path


def test_an_edge_is_called_by_the_name_of_its_certificate(told: Path) -> None:
    seen = look.read(told)
    target = look.target(told, seen, "voice.example.com", 8000)
    assert (target.url(), target.addresses) == ("wss://voice.example.com:8443/media?sample-rate=8000", ())
    elsewhere = look.target(told, seen, "198.51.100.7", 8000)
    assert (elsewhere.url(), elsewhere.addresses) == (target.url(), ("198.51.100.7",))
    assert look.lists_metrics_sources(told)


def test_certificates_of_the_host_are_there_only_if_it_told_some(told: Path) -> None:
    assert look.chain(told) is None
    (told / "chain.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    assert look.chain(told) == told / "chain.pem"


def test_an_edge_that_cannot_be_read_is_told(told: Path) -> None:
    (told / "edge.json").write_text("{}")
    with pytest.raises(UsageFault, match=r"the host's .*edge\.json: domains is not a list"):
        look.edge(told)


@pytest.mark.parametrize(
    ("ca_file", "says"),
    [(None, "a public CA vouches for its certificate"), (Path("c"), "trusted because the host itself told it: no public CA")],
)
def test_by_whom_a_certificate_is_vouched_for_is_said(told: Path, ca_file: Path | None, says: str) -> None:
    target = replace(look.target(told, look.read(told), "voice.example.com", 8000), ca_file=ca_file)
    assert says in steps.from_here(healthy(), OUTSIDE, target)[0].proof
