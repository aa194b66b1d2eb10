"""Let a source in again that the limits of the edge have put out."""

import ipaddress
from pathlib import Path

from exotel_phone.exits import UsageFault

from exotelctl.edge import runtime
from exotelctl.edge.config import EdgeConfig
from exotelctl.edge.facts import BAD_KEYS, RATE, STRANGERS, PutOut, put_out


def parse(text: str) -> str:
    """Return the source as the edge names it: an address, of IPv6 its network's. Raises UsageFault."""
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        raise UsageFault(f"{text} is no address: name one that exotelctl edge shows, such as 203.0.113.9") from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return runtime.source(runtime.key(str(mapped or address)))


def admit(known: EdgeConfig, source: str) -> list[PutOut]:
    """Forget what the edge counts against ``source``, and return why it was put out (nothing: it was not). Raises Silent.

    That it made good calls is not forgotten. Afterwards it is proven that it is not put out any more, or Silent is raised.
    """
    was = [one for one in put_out(known) if one.address == source]
    # Set, for an entry that a live call holds cannot be cleared.
    counters = " ".join(f"data.{counter} 0" for counter in ("gpc0", BAD_KEYS, RATE))
    said = runtime.ask(Path(known.admin_socket), f"set table {STRANGERS} key {runtime.key(source)} {counters}").strip()
    if said:
        raise runtime.Silent(f"HAProxy did not take it: {said[:200]}")
    if any(one.address == source for one in put_out(known)):
        raise runtime.Silent(f"{source} is put out again at once: it shows bad keys, or comes too often, at this moment")
    return was
