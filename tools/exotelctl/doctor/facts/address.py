"""Find the addresses that lead to this host, and where ``public_url`` leads."""

import http.client
import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exotel_phone.exits import UsageFault
from exotel_phone.target import parse

_DMI: Final = Path("/sys/class/dmi/id/product_name")
_METADATA: Final = "169.254.169.254"
_METADATA_PATH: Final = "/computeMetadata/v1/instance/network-interfaces/0/access-configs/0/external-ip"
_ASK_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Address:
    """``public_host`` is that of public_url, "" where it is not set; ``resolved`` what it stands for, or ``unresolved`` why not.

    ``own`` are the addresses of this host's interfaces, ``metadata`` the one that the cloud says it maps to it.
    """

    public_host: str
    resolved: tuple[str, ...]
    unresolved: str
    own: tuple[str, ...]
    metadata: str = ""


def look(public_url: str, dmi: Path = _DMI) -> Address:
    """Resolve, and ask the interfaces and the cloud."""
    try:
        host = parse(public_url).host if public_url else ""
    except UsageFault:
        host = ""
    resolved, unresolved = resolve(host) if host else ((), "")
    return Address(host, resolved, unresolved, _own(), _metadata(dmi))


def resolve(host: str) -> tuple[tuple[str, ...], str]:
    """Return the addresses of a name, or why there are none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return (), str(getattr(error, "strerror", None) or error)
    return tuple(dict.fromkeys(str(address[4][0]) for address in found)), ""


def _own() -> tuple[str, ...]:
    import psutil

    texts = [entry.address.partition("%")[0] for entries in psutil.net_if_addrs().values() for entry in entries]
    return tuple(text for text in texts if _is_usable(text))


def _is_usable(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False  # a hardware address
    return not (address.is_loopback or address.is_link_local)


def _metadata(dmi: Path) -> str:
    """Return the external address that Google's metadata server tells; asked nowhere else, for elsewhere it may be anybody."""
    try:
        if "Google" not in dmi.read_text():
            return ""
        connection = http.client.HTTPConnection(_METADATA, timeout=_ASK_S)
        connection.request("GET", _METADATA_PATH, headers={"Metadata-Flavor": "Google"})
        answer = connection.getresponse()
        text = answer.read(64).decode("ascii").strip()
        return str(ipaddress.ip_address(text)) if answer.status == 200 else ""
    except (OSError, http.client.HTTPException, ValueError):
        return ""
