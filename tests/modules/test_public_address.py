"""Deploy, ``exotelctl url`` and doctor judge an address alike."""

from dataclasses import replace

import pytest
from ansible_collections.exotel.voicebot.plugins.filter.public_doubt import public_doubt
from ansible_collections.exotel.voicebot.plugins.module_utils.public_address import doubt
from exotelctl import url
from exotelctl.doctor import checks
from exotelctl.doctor.facts.address import Address

from tests.unit.tools.doctor_facts import DEPLOYMENT, healthy

PRIVATE = ["10.0.0.5", "172.16.3.4", "192.168.1.9", "100.64.0.1", "fd00::1", "[fd00::1]", "::ffff:10.0.0.5"]
LOOPBACK = ["127.0.0.1", "127.1", "0x7f.0.0.1", "::1", "[::1]", "::ffff:127.0.0.1"]
LINK_LOCAL = ["169.254.10.1", "fe80::1"]
TEST = ["192.0.2.5", "198.51.100.7", "203.0.113.10", "2001:db8::1", "198.18.0.1"]
OTHERS = ["0.0.0.0", "::", "224.0.0.1", "240.0.0.1"]
NAMES = ["localhost", "LOCALHOST.", "voice.localhost", "voice.local", "vm-1.asia-south1-a.c.project.internal"]
PUBLIC = ["8.8.8.8", "2001:4860:4860::8888", "[2001:4860:4860::8888]", "voice.example.com", "local.example.com", "", "face.b00c"]


@pytest.mark.parametrize("host", [*PRIVATE, *LOOPBACK, *LINK_LOCAL, *TEST, *OTHERS, *NAMES])
def test_what_exotel_cannot_reach_is_doubted(host: str) -> None:
    assert doubt(host)


@pytest.mark.parametrize("host", PUBLIC)
def test_against_a_public_address_or_name_nothing_speaks(host: str) -> None:
    assert doubt(host) is None
    assert public_doubt(host) == ""


@pytest.mark.parametrize("host", [*PRIVATE, *LOOPBACK, *LINK_LOCAL, "localhost"])
def test_the_deploy_the_tool_and_the_doctor_say_the_same(host: str) -> None:
    why = doubt(host)
    assert why is not None
    assert public_doubt(host).startswith(why)
    assert vars(url)["doubt"](host) == why  # the same function, seen from the tool
    bare = host.strip("[]")
    mine = Address(bare, (bare,), "", (bare,))
    facts = healthy(deployment=replace(DEPLOYMENT, public_url=f"ws://{host}:8765"), address=mine)
    found = {result.id: result for result in checks.judge(facts)}["public-address"]
    assert found.verdict == "warn"
    assert found.says.startswith(doubt(bare) or "nothing")
