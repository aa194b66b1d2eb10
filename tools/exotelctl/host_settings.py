"""Settings of the serving generation on this host: the few keys of settings.toml that an on-call command needs."""

import dataclasses
import json
import tomllib
from pathlib import Path

from exotel_phone.command import command
from exotel_phone.exits import UsageFault
from exotel_phone.target import Target

DEFAULT_PORT = 8765
_WILDCARDS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclasses.dataclass(frozen=True, slots=True)
class HostSettings:
    """``public_url`` is "" where it was not set; ``host`` is the address that the server binds.

    ``asks_credential`` tells that a stream has to show one, ``credential`` the file that has them. ``partial``: this user may
    not read settings.toml, and only ``host`` and ``port`` are known.
    """

    public_url: str
    host: str
    port: int
    asks_credential: bool = False
    partial: bool = False
    credential: str = "stream-credentials"

    @property
    def local_target(self) -> Target:
        """Return the server as it is reached from this host."""
        return Target(False, reached_at(self.host), self.port, "", "")


def reached_at(host: str) -> str:
    """Return the address at which this host itself reaches a server that binds ``host``."""
    return _WILDCARDS.get(host, host)


def load(file: Path) -> HostSettings:
    """Read ``file``. Raises UsageFault if it is missing: this is no host of the server, so the user has to name an address.

    It holds secrets and is for root; who is not root gets what generation.json beside it tells everybody.
    """
    check = f"Check it: {command('exotel-ws', 'check-config', str(file))}"
    try:
        table = tomllib.loads(file.read_text())
    except PermissionError:
        return _for_everybody(file)
    except OSError as error:
        raise UsageFault(f"{file}: {error.strerror}. On a machine without the server name the address yourself") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageFault(f"{file} is not TOML: {error}. {check}") from None
    port = table.get("port", DEFAULT_PORT)
    if not isinstance(port, int) or not 0 < port < 65536:
        raise UsageFault(f"{file}: port is {port!r}, not a number from 1 to 65535. {check}")
    auth = table.get("auth")
    auth = auth if isinstance(auth, dict) else {}
    return HostSettings(
        str(table.get("public_url", "")),
        str(table.get("host", "0.0.0.0")),
        port,
        asks_credential=auth.get("required") is True,
        credential=str(auth.get("credential", "stream-credentials")),
    )


def _for_everybody(file: Path) -> HostSettings:
    try:
        listen = str(json.loads(file.with_name("generation.json").read_text())["listen"])
        host, _, port = listen.rpartition(":")
        return HostSettings("", host.strip("[]"), int(port), partial=True)
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageFault(f"{file} may be read by root only: put sudo in front") from None
