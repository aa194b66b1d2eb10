"""Servers that traffic may go to."""

import socket
from pathlib import Path
from typing import Any

import psutil
import pytest
from exotel_phone.exits import Refusal, UsageFault
from exotel_phone.ownership import require_own
from exotel_phone.target import parse

INVENTORY = """
calls:
  hosts:
    vm-1: {ansible_host: 203.0.113.9}
    203.0.113.10:
    "2001:db8::5":
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    file = tmp_path / "hosts.yml"
    file.write_text(INVENTORY)
    return file


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.9.9.9", "[::1]"])
def test_loopback_is_ours(host: str) -> None:
    require_own(parse(f"ws://{host}:8765"), False)


def test_every_address_of_this_machine_is_ours() -> None:
    addresses = [
        entry.address for entries in psutil.net_if_addrs().values() for entry in entries if entry.family == socket.AF_INET
    ]
    assert addresses
    for address in addresses:
        require_own(parse(f"ws://{address}:8765"), False)


@pytest.mark.parametrize("host", ["203.0.113.9", "[2001:db8::5]", "10.255.255.1"])
def test_a_stranger_is_refused_with_what_to_say(host: str) -> None:
    with pytest.raises(Refusal, match="--i-own-this-server"):
        require_own(parse(f"ws://{host}:8765"), False)
    require_own(parse(f"ws://{host}:8765"), True)


@pytest.mark.parametrize("host", ["203.0.113.9", "203.0.113.10", "[2001:db8::5]"])
def test_a_host_of_the_inventory_is_ours(host: str, inventory: Path) -> None:
    require_own(parse(f"ws://{host}:8765"), False, inventory)


def test_a_neighbour_of_the_inventory_is_a_stranger(inventory: Path) -> None:
    with pytest.raises(Refusal):
        require_own(parse("ws://203.0.113.11:8765"), False, inventory)


@pytest.mark.parametrize("text", [None, "{{{"])
def test_an_inventory_that_cannot_be_read_is_said(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "inventory.yml"
    if text is not None:
        file.write_text(text)
    with pytest.raises((UsageFault, Refusal)):
        require_own(parse("ws://203.0.113.9:8765"), False, file)


def test_a_name_that_does_not_resolve_now_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(Refusal, match="does not resolve"):
        require_own(parse("ws://calls.example:8765"), False)
    assert require_own(parse("ws://calls.example:8765"), True).addresses == ()


def test_what_was_checked_is_what_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def rebound(host: str, *more: Any, **named: Any) -> Any:
        return real("127.0.0.1" if host == "calls.example" else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    target = require_own(parse("ws://calls.example:8765"), False)
    assert (target.host, target.addresses) == ("calls.example", ("127.0.0.1",))
