"""Messages of SSH and sudo become a sentence with the host, their own words and the cure."""

import pytest
from ansible_collections.exotel.voicebot.plugins.plugin_utils.login import not_root, unreachable


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        (
            "No ED25519 host key is known for 192.0.2.1 …\r\nHost key verification failed.",
            "compare the key that it shows: ssh deploy@192.0.2.1",
        ),
        ("@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@ Host key verification failed.", "ssh-keygen -R 192.0.2.1"),
        ("deploy@192.0.2.1: Permission denied (publickey).", "ansible_ssh_private_key_file"),
        ("ssh: Could not resolve hostname web: Name or service not known", "ansible_host"),
        ("ssh: connect to host 192.0.2.1 port 22: Connection timed out", "SSH let in from here"),
        ("ssh: connect to host 192.0.2.1 port 22: No route to host", "whether it is up"),
        ("ssh: connect to host 192.0.2.1 port 22: Connection refused", "ansible_port"),
        (
            "to use the 'ssh' connection type with passwords or pkcs11_provider, you must install the sshpass program",
            "Install sshpass",
        ),
        ("something new", "Try: ssh deploy@192.0.2.1"),
        ("", "no answer"),
    ],
)
def test_unreachable(said: str, cure: str) -> None:
    told = unreachable("web-2", "192.0.2.1", "deploy", said)
    assert told.startswith("web-2 cannot be reached: ")
    assert " ".join(said.split()).rstrip(".") in told
    assert cure in told
    assert told.endswith("To go on without it: --limit 'all:!web-2'")


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("sudo: a password is required", "add -K"),
        ("Missing sudo password", "add -K"),
        ("deploy is not in the sudoers file.", "Let the user of ansible_user use sudo"),
        ("sh: 1: sudo: not found", "Install sudo"),
        ("Incorrect sudo password", "the right one"),
        ("", "it gave no answer"),
    ],
)
def test_not_root(said: str, cure: str) -> None:
    told = not_root("web-2", said)
    assert told.startswith("No command can be run as root on web-2: ")
    assert cure in told
    assert ": ." not in told


CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Please contact your system administrator.
Add correct host key in /home/me/hosts to get rid of this message.
Host key verification failed."""


def test_a_changed_key_is_forgotten_where_it_is_kept() -> None:
    told = unreachable(
        "web-2", "192.0.2.1", "deploy", CHANGED, "-o UserKnownHostsFile=/home/me/hosts -o StrictHostKeyChecking=yes"
    )
    assert "ssh-keygen -R 192.0.2.1 -f /home/me/hosts" in told
    assert "ssh -o UserKnownHostsFile=/home/me/hosts deploy@192.0.2.1" in told
    assert "@@@" not in told
    assert "NASTY" not in told
    assert "ssh-keygen -R 192.0.2.1, then log in once: ssh deploy@192.0.2.1" in unreachable(
        "web-2", "192.0.2.1", "deploy", CHANGED
    )


@pytest.mark.parametrize("said", [CHANGED, "No ED25519 host key is known for 198.18.65.12. Host key verification failed."])
def test_the_labs_own_keys_come_anew(said: str) -> None:
    told = unreachable(
        "exo12", "198.18.65.12", "operator", said, "-o UserKnownHostsFile=/var/lib/exotel-voicebot-lab/hosts/exo12/known_hosts"
    )
    assert told.endswith(
        "Host key verification failed. It is a host of the lab, whose keys the lab keeps: make clean-lab, then make deploy"
    )
