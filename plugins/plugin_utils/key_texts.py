"""Say what was done to the keys, and what to type next. Pure; no key is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import key_usage
from .key_usage import Answer

_PASSWORD = "~/.exotel-vault-password"


@dataclass(frozen=True)
class Lines:
    """Commands to type next, as the operator typed this one: a deploy, and this playbook with an action."""

    deploy: str
    keys: str

    def action(self, action: str, *more: str) -> str:
        """Return the command for `action`, with further variables."""
        return " ".join([self.keys, *(f"-e {variable}" for variable in (f"keys_action={action}", *more))])


def added(name: str, others: Sequence[str], file: str, lines: Lines, *, dry: bool) -> str:
    """Return what became of a new key."""
    if dry:
        return f"A key {name} would be made and put into {file}."
    old = [f"When no call shows it any more, retire {other}: {lines.action('retire', f'keys_name={other}')}" for other in others]
    return "\n".join(
        [
            f"The key {name} is in {file}. It was shown this once, above.",
            f"Next, let the servers take it: {lines.deploy}",
            "Then put it into the URL in Exotel's applet; on a server: sudo exotelctl url --with-key",
            *old,
        ]
    )


def retired(name: str, left: Sequence[str], file: str, found: Sequence[Answer], lines: Lines, *, dry: bool, unused: bool) -> str:
    """Return what became of a key that is to be refused; `unused` tells that no server ever saw one of those that are `left`."""
    doubt = f"No server saw a call with {', '.join(left)} yet: is it in the URL in Exotel's applet?"
    return "\n".join(
        [
            f"The key {name} would be taken out of {file}." if dry else f"The key {name} is out of {file}.",
            *key_usage.faults(found),
            *([doubt] if unused else []),
            f"Next, let the servers refuse it, calls that are open go on: {lines.deploy}",
        ]
    )


def listed(keys: Sequence[str], names: Sequence[str], file: str, found: Sequence[Answer], lines: Lines) -> str:
    """Return which keys there are, and what to type next."""
    if not keys:
        return "\n".join([f"There is no key in {file}: anybody may begin a call.", f"To make one: {lines.action('add')}"])
    told = [answer for answer in found if not answer.fault]
    ids = [key_usage.key_id(key) for key in keys]
    missing = [answer.host for answer in told if any(id not in answer.uses for id in ids)]
    idle = [name for key, name in zip(keys, names) if not key_usage.still_used(key, found)]
    if missing:
        following = f"Next, let {', '.join(missing)} take what {file} has: {lines.deploy}"
    elif len(keys) == 1:
        following = f"To replace it, begin with another: {lines.action('add')}"
    elif not idle:
        following = (
            "Each was used within the last hour, or nobody could say: put the newest into Exotel's URL, and look again later."
        )
    else:
        following = (
            f"Not used within the last hour: {', '.join(idle)}. To retire one: {lines.action('retire', f'keys_name={idle[0]}')}"
        )
    return "\n".join([key_usage.table(keys, names, found), *key_usage.faults(found), following])


def not_encrypted(file: str, lines: Lines) -> str:
    """Return how to encrypt a file of plain text."""
    return (
        f"{file} holds keys as plain text. Encrypt it, and type this again: ansible-vault encrypt {file}\n"
        f"To keep it as it is: {lines.action('add', 'keys_plain=true')}"
    )


def no_secret(file: str, lines: Lines) -> str:
    """Return how to make a vault password, and use it."""
    return (
        f"The key is to be encrypted in {file}, and no vault password was given. Make one, and type this with it:\n"
        f"(umask 077; openssl rand -base64 32 > {_PASSWORD})\n"
        f"{lines.action('add')} --vault-password-file {_PASSWORD}\n"
        f"Deploys need the same option then. To write the key as plain text: {lines.action('add', 'keys_plain=true')}"
    )


def closed(file: str, action: str, lines: Lines) -> str:
    """Return how to give the vault password."""
    return f"{file} is encrypted, and no vault password was given: {lines.action(action)} --ask-vault-pass"
