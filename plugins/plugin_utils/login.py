"""Explain a failed login, or a failed change to root, by the messages of SSH and sudo, with the cure. Pure."""

from __future__ import annotations

import re
import shlex

_LAB = "/exotel-voicebot-lab/"
_ANEW = "make clean-lab, then make deploy"
# SSH's text around "REMOTE HOST IDENTIFICATION HAS CHANGED".
_BANNER = re.compile(
    r"@{5,}|IT IS POSSIBLE THAT.*?contact your system administrator\. *|Add correct host key in .*?this message\. *"
)
_CONNECTION: tuple[tuple[str, str], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "Its key is another one than before. If it was made again: {forget}, then log in once: {log_in}",
    ),
    (
        r"Host key verification failed",
        "Log in once by hand and compare the key that it shows: {log_in}",
    ),
    (
        r"Could not resolve hostname|Name or service not known|nodename nor servname",
        "If the name is right, write its address into ansible_host",
    ),
    (
        r"Permission denied|Too many authentication failures|Load key|Authentication failed|Invalid/incorrect password",
        "Name the user and the key that may log in: ansible_user, ansible_ssh_private_key_file; try: ssh {user}{address}",
    ),
    (
        r"Connection refused",
        "Nothing listens for SSH there: start sshd, or give the right port (ansible_port)",
    ),
    (
        r"timed out|No route to host|Network is unreachable|Connection closed|Connection reset",
        "Look whether it is up, its address right (ansible_host), and SSH let in from here by the firewall",
    ),
    (r"sshpass", "Install sshpass, or log in with a key (ansible_ssh_private_key_file)"),
)
_SUDO: tuple[tuple[str, str], ...] = (
    (r"not in the sudoers|is not allowed to|may not run sudo", "Let the user of ansible_user use sudo, or log in as another"),
    (r"(?i)incorrect (sudo|su|become)? ?password", "The password is wrong: add -K to the command, and give the right one"),
    (r"(?i)sudo: (command )?not found|sudo: No such file", "Install sudo there, or log in as root (ansible_user: root)"),
)
_SUDO_ELSE = "Let the user of ansible_user use sudo without a password, or give the password: add -K to the command"


def unreachable(name: str, address: str, user: str, said: str, ssh_args: str = "") -> str:
    """Return the sentences for a host with a failed login: the user, SSH's message, and the cure.

    `ssh_args` are SSH's arguments from the inventory, which may name another file of known hosts than the user's.
    """
    said = _BANNER.sub("", _line(said)) or "no answer"
    file = re.search(r"UserKnownHostsFile[= ](\S+)", ssh_args)
    at = f"{user}@{address}" if user else address
    if file and _LAB in file[1] and "Host key verification failed" in said:
        return (
            f"{name} cannot be reached: Host key verification failed. It is a host of the lab, whose keys the lab keeps: {_ANEW}"
        )
    known = {
        "address": address,
        "user": f"{user}@" if user else "",
        "forget": shlex.join(["ssh-keygen", "-R", address, *(["-f", file[1]] if file else [])]),
        "log_in": shlex.join(["ssh", *(["-o", f"UserKnownHostsFile={file[1]}"] if file else []), at]),
    }
    cures = [cure.format(**known) for what, cure in _CONNECTION if re.search(what, said)]
    cure = cures[0] if cures else f"Try: ssh {known['user']}{address}"
    return f"{name} cannot be reached: {said.rstrip('.')}. {cure}. To go on without it: --limit 'all:!{name}'"


def not_root(name: str, said: str) -> str:
    """Return the sentences for a host where the login works and root does not."""
    said = _line(said) or "it gave no answer"
    cures = [cure for what, cure in _SUDO if re.search(what, said)]
    return f"No command can be run as root on {name}: {said.rstrip('.')}. {cures[0] if cures else _SUDO_ELSE}"


def _line(said: str) -> str:
    return " ".join(said.split())
