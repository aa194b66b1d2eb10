"""Read the keys that the serving generation takes. Nothing here prints one; a name or an id tells which is meant."""

import dataclasses
import hashlib
from pathlib import Path

from ansible_collections.exotel.voicebot.plugins.module_utils.paths import SHARED_CREDENTIALS
from exotel_phone.exits import Refusal
from exotel_phone.text import printable

from exotelctl.keys import bounded

MAKE_ONE = "To make one, where you deploy from: ansible-playbook playbooks/keys.yml -i INVENTORY -e keys_action=add"
_MOST_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """One line of the file: ``user:token``, or a bare token in a file made by hand."""

    entry: str = dataclasses.field(repr=False)

    @property
    def id(self) -> str:
        """Return the name under which the workers record its use: 16 hex digits of its SHA-256."""
        return hashlib.sha256(self.entry.encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """Return its user, fit for a terminal; ``key-`` and 4 hex digits for a bare token."""
        user, colon, _ = self.entry.partition(":")
        return printable(user, 60) if colon and user else f"key-{self.id[:4]}"

    @property
    def user(self) -> str:
        """Return what stands before the colon."""
        return self.entry.partition(":")[0]

    @property
    def token(self) -> str:
        """Return the secret part."""
        return self.entry.partition(":")[2] or self.entry


def read(settings: Path, credential: str) -> list[Key]:
    """Return the keys in the order of the file `credential` beside `settings`; ``auth.credential`` names it.

    Raises Refusal, with the cure, for another user than root and for a file that is missing or no text.
    """
    file = settings.parent / "credentials" / credential
    shared = Path(SHARED_CREDENTIALS, credential)
    try:
        text = bounded.read(file if file.exists() or not shared.exists() else shared, _MOST_BYTES)
    except PermissionError:
        raise Refusal(f"{file} may be read by root only: put sudo in front of the command") from None
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise Refusal(f"{file}: {reason}. A deploy writes it anew: ansible-playbook deploy.yml -i INVENTORY") from None
    lines = [line.strip() for line in text.splitlines()]
    return [Key(line) for line in lines if line and not line.startswith("#")]
