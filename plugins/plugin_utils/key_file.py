"""Keep the list of keys in a file of variables, encrypted by Ansible Vault as a whole or entry by entry."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret, is_encrypted, match_encrypt_secret, parse_vaulttext_envelope

from ..module_utils import files
from .key_list import Entry, Unfit, entries, with_entry, without_entry

_MOST_BYTES = 1 << 20
_TOKEN_BYTES = 32
_FORM = re.compile(r"[!-9;-~]+:[!-9;-~]+")


class Refused(ValueError):
    """Raised if nothing is done; the text has the reason and what to do, and no key."""


class NotEncrypted(Refused):
    """Raised if the key would be written as plain text."""


class NoSecret(Refused):
    """Raised if a vault password is needed to encrypt, and none was given."""


class Closed(Refused):
    """Raised if a vault password is needed to decrypt, and none was given."""


@dataclass(frozen=True)
class Seal:
    """Vault id that a text is labelled with, and the secret that opens it."""

    label: str
    secret: VaultSecret = field(repr=False)


@dataclass(frozen=True)
class Vault:
    """The vault secrets given to ansible-playbook, by their ids; `encrypt_id` is the one to encrypt with, if it was named."""

    secrets: Sequence[tuple[str, VaultSecret]]
    encrypt_id: str | None = None

    def open(self, text: str) -> tuple[str, Seal]:
        """Return what is encrypted in `text`, and its seal. Raises `Refused`."""
        if not self.secrets:
            raise Closed("it is encrypted, and no vault password was given")
        try:
            label = parse_vaulttext_envelope(text.encode())[3]
            plain, _, secret = VaultLib(self.secrets).decrypt_and_get_vault_id(text.encode())
            return bytes(plain).decode(), Seal(str(label), secret)
        except UnicodeDecodeError:
            raise Refused("what is encrypted in it is no text") from None
        except AnsibleError:
            ids = ", ".join(dict.fromkeys(name for name, _ in self.secrets))
            raise Refused(f"it cannot be decrypted with the vault passwords that were given (of the vault ids {ids})") from None

    def seal(self, plain: str, seal: Seal) -> str:
        """Return `plain` encrypted."""
        return str(VaultLib(self.secrets).encrypt(plain, seal.secret, seal.label).decode())

    def chosen(self) -> Seal:
        """Return the seal for something new. Raises `Refused` without a secret, and where several could be meant."""
        if not self.secrets:
            raise NoSecret("no vault password was given")
        ids = list(dict.fromkeys(name for name, _ in self.secrets))
        if self.encrypt_id is None and len(ids) > 1:
            raise Refused(
                f"several vault ids were given ({', '.join(ids)}): name the one to encrypt with, "
                f"export ANSIBLE_VAULT_ENCRYPT_IDENTITY={ids[0]}"
            )
        try:
            label, secret = match_encrypt_secret(list(self.secrets), encrypt_vault_id=self.encrypt_id)
        except AnsibleError:
            raise Refused(f"no password was given for the vault id {self.encrypt_id} to encrypt with") from None
        return Seal(label, secret)


@dataclass(frozen=True)
class KeyFile:
    """A file of variables: its text, decrypted, and its seal if it is encrypted as a whole. No repr shows a key."""

    path: Path
    vault: Vault
    text: str = field(repr=False)
    seal: Seal | None
    exists: bool

    @classmethod
    def read(cls, path: Path, vault: Vault) -> KeyFile:
        """Read `path`, which may be missing. Raises `Refused`."""
        try:
            with path.open("rb") as opened:
                if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                    raise Refused("it is no file")
                raw = opened.read(_MOST_BYTES + 1)
            if len(raw) > _MOST_BYTES:
                raise Refused(f"it has more than {_MOST_BYTES} bytes")
            text = raw.decode()
        except FileNotFoundError:
            return cls(path, vault, "", None, exists=False)
        except OSError as error:
            raise Refused(str(error.strerror)) from None
        except UnicodeDecodeError:
            raise Refused("it is no text") from None
        plain, seal = vault.open(text) if is_encrypted(raw) else (text, None)
        return cls(path, vault, plain, seal, exists=True)

    @property
    def sets_keys(self) -> bool:
        """Return True if the variable is set in it. Raises `Refused`."""
        return self._entries() is not None

    def keys(self) -> list[str]:
        """Return the keys, ``user:token`` each, in their order. Raises `Refused`."""
        found = []
        for number, entry in enumerate(self._entries() or [], 1):
            key = self.vault.open(entry.text)[0].strip() if entry.vaulted else entry.text
            if not _FORM.fullmatch(key):
                raise Refused(f"entry {number} of exotel_ws_credentials is not user:token, with one colon and no blank")
            found.append(key)
        return found

    def with_key(self, key: str, *, plain: bool) -> KeyFile:
        """Return the file with one key more: encrypted, unless `plain` allows another. Raises `Refused`."""
        entry = self._sealed(key, plain)
        return self._changed(lambda text: with_entry(text, entry), plain=plain)

    def without_key(self, number: int) -> KeyFile:
        """Return the file without the key of this `number`, from 0 on. Raises `Refused`."""
        return self._changed(lambda text: without_entry(text, number), plain=True)

    def write(self) -> None:
        """Replace the file on disk in one step, with mode 0600 and its owner from before. Raises OSError."""
        owner = self.path.stat() if self.exists else None
        files.write(self.path, self.vault.seal(self.text, self.seal) if self.seal else self.text, 0o600)
        if owner and os.geteuid() == 0:
            os.chown(self.path, owner.st_uid, owner.st_gid)

    def _entries(self) -> list[Entry] | None:
        try:
            return entries(self.text)
        except Unfit as unfit:
            raise Refused(str(unfit)) from None

    def _sealed(self, key: str, plain: bool) -> Entry:
        had = self._entries() or []
        if self.seal or (plain and not any(entry.vaulted for entry in had)):
            return Entry(key)
        if any(not entry.vaulted for entry in had) and not plain:
            raise NotEncrypted("it holds keys as plain text")
        if not self.exists:
            return Entry(key)  # which `_changed` encrypts with all of the file
        seal = self.vault.open(had[-1].text)[1] if had and had[-1].vaulted else self.vault.chosen()
        return Entry(self.vault.seal(key, seal), vaulted=True)

    def _changed(self, change: Callable[[str], str], *, plain: bool) -> KeyFile:
        seal = self.seal or (None if self.exists or plain else self.vault.chosen())
        try:
            return replace(self, text=change(self.text), seal=seal)
        except Unfit as unfit:
            raise Refused(str(unfit)) from None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock on the keys in `folder`, which is made if it is missing. Never waits: raises `Refused` if it is held."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(f"{folder}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Refused("another keys.yml changes keys there at this moment: type it again after it") from None
    finally:
        os.close(descriptor)


def new_key(keys: Sequence[str], now: float) -> str:
    """Return a key for which the operating system gave 32 random bytes, named by the day (UTC) and like none of `keys`."""
    taken = {key.partition(":")[0] for key in keys}
    name = day = f"exotel-{time.strftime('%Y%m%d', time.gmtime(now))}"
    number = 1
    while name in taken:
        number += 1
        name = f"{day}-{number}"
    return f"{name}:{secrets.token_hex(_TOKEN_BYTES)}"


def labels(keys: Sequence[str]) -> list[str]:
    """Return the names of `keys` for people: their users, with ``#1``, ``#2`` where several have the same."""
    users = [key.partition(":")[0] for key in keys]
    return [user if users.count(user) == 1 else f"{user}#{users[: number + 1].count(user)}" for number, user in enumerate(users)]
