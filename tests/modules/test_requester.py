"""Requesters of an action, as playbooks and exotelctl name them."""

import getpass
import socket

import pytest
from ansible.errors import AnsibleError
from ansible_collections.exotel.voicebot.plugins.lookup.requester import LookupModule
from ansible_collections.exotel.voicebot.plugins.module_utils import requester


@pytest.mark.parametrize(
    ("environment", "name"),
    [({"SUDO_USER": "ann", "LOGNAME": "root"}, "ann"), ({"SUDO_USER": "", "LOGNAME": "bob"}, "bob"), ({"LOGNAME": "bob"}, "bob")],
)
def test_the_person_behind_sudo_goes_first(environment: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    assert requester.person() == name
    assert requester.requester() == f"{name}@{socket.gethostname()}"
    assert LookupModule().run([]) == [requester.requester()]


def test_a_user_without_a_name_is_named_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("no entry for this user id")

    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(getpass, "getuser", nobody)
    assert requester.person().isdigit()


def test_the_lookup_takes_no_terms() -> None:
    with pytest.raises(AnsibleError, match="no terms"):
        LookupModule().run(["me"])
