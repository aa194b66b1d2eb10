"""Judge what an edge in front of the server means for the server's address, its URL, open ports and an inventory. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

LISTEN = "127.0.0.1"
LOOPBACK = (LISTEN, "::1")
"""Addresses from which the edge reaches the server."""
PORT_OF_WSS = 443
_BEHIND = {302: "certbot answers behind the edge"}
_OPENS_NOTHING = "0.0.0.0"
_UNWANTED = (
    "the inventory says exotel_ws_edge: false, but this host has an edge, wss://{}, and is looked at as it is. Set "
    "exotel_ws_edge: true, or the next deploy takes the edge away"
)
_TOLD = {
    "edge_domain": "domains",
    "edge_port": "port",
    "edge_http_port": "http_port",
    "edge_certificate": "certificate",
    "edge_acme_ca_file": "acme_ca_file",
}
"""Variables of an inventory that the host's ``edge.json`` tells too, and their names there."""


def public_ports(value: Callable[[str], Any]) -> list[int]:
    """Return the TCP ports that callers, and an ACME authority, must reach. `value` gives a variable by its name."""
    if not value("exotel_ws_edge"):
        return [value("exotel_ws_port")]
    return [value("edge_port"), *([value("edge_http_port")] if value("edge_certificate") == "acme" else [])]


def listening(value: Callable[[str], Any]) -> str:
    """Return the address that the server listens on."""
    return LISTEN if value("exotel_ws_edge") else str(value("exotel_ws_host"))


def proxies(value: Callable[[str], Any]) -> list[str]:
    """Return the addresses and networks whose word about a caller's address the server takes."""
    beside: list[str] = value("exotel_ws_proxies")
    return list(dict.fromkeys([*LOOPBACK, *beside])) if value("exotel_ws_edge") else beside


def private_ca(value: Callable[[str], Any]) -> bool:
    """Return True if no public CA vouches for the edge's certificate, as far as anybody told."""
    return bool(value("exotel_ws_edge") and (value("edge_certificate") != "acme" or value("edge_acme_ca_file")))


def found_on_host(text: str | None) -> dict[str, Any] | None:
    """Return what a host's ``edge.json``, in base64, tells; empty if it has none, None if nothing is known of it."""
    if not text:
        return None if text is None else {}
    try:
        told = json.loads(base64.b64decode(text))
    except ValueError:
        return None
    usable = isinstance(told, dict) and isinstance(told.get("domains"), list) and told["domains"]
    return dict(told) if usable else None


def as_found(value: Callable[[str], Any], found: Mapping[str, Any] | None) -> Callable[[str], Any]:
    """Return `value` as it is on a host that has an edge though the inventory wants none, or none though it wants one."""
    if found is None or bool(found) == value("exotel_ws_edge"):
        return value
    told = {"exotel_ws_edge": bool(found), **{name: found[key] for name, key in _TOLD.items() if key in found}}
    return lambda name: told[name] if name in told else value(name)


def disagreement(value: Callable[[str], Any], found: Mapping[str, Any] | None) -> str:
    """Return in what an inventory and its host differ about the edge, with the cure; empty if they agree."""
    if found is None:
        return ""
    if not value("exotel_ws_edge"):
        return _UNWANTED.format(found["domains"][0]) if found else ""
    if not found:
        return "the inventory says exotel_ws_edge: true, but this host has no edge yet: deploy"
    asked = {name: value(name) for name in ("edge_domain", "edge_port", "edge_certificate")}
    differs = [
        f"{name} is {_shown(wanted)} in the inventory, but {_shown(found[_TOLD[name]])} on this host"
        for name, wanted in asked.items()
        if wanted and _TOLD[name] in found and wanted != found[_TOLD[name]]
    ]
    return f"{'; '.join(differs)}: deploy" if differs else ""


def _shown(told: Any) -> str:
    return ", ".join(map(str, told)) if isinstance(told, list) else str(told)


def contradictions(value: Callable[[str], Any], more: Mapping[str, Any]) -> list[str]:
    """Return a sentence with the cure for each contradiction between variables. `more` are the ``exotel_ws_settings``."""
    found = []
    if value("exotel_ws_proxy_protocol") and not value("exotel_ws_proxies"):
        found.append(
            "exotel_ws_proxy_protocol is true, but no balancer is named that may send it: "
            "list the balancer's addresses in exotel_ws_proxies"
        )
    if not value("exotel_ws_edge"):
        return found
    return [*found, *_server(value, more), *_ports(value), *_limits(value), *_certificate(value), *_keys(value)]


def _server(value: Callable[[str], Any], more: Mapping[str, Any]) -> list[str]:
    found = []
    if (host := value("exotel_ws_host")) not in (_OPENS_NOTHING, *LOOPBACK):
        found.append(
            f"exotel_ws_host is {host}, but with exotel_ws_edge the server listens on {LISTEN} alone and the edge takes calls on "
            "every address: delete exotel_ws_host"
        )
    if value("exotel_ws_open_metrics"):
        found.append(
            "exotel_ws_open_metrics is true, but the edge shows /metrics and /ready to nobody it does not know: delete it, and "
            "name who may read them in exotel_ws_metrics_sources"
        )
    limits = more.get("limits")
    listed = limits.get("proxies") if isinstance(limits, Mapping) else None
    if listed is not None and not set(LOOPBACK) <= set(map(str, listed if isinstance(listed, list) else [listed])):
        found.append(
            f"exotel_ws_settings: limits.proxies is {json.dumps(listed, default=str)} and leaves the edge out, so that all "
            "callers were bounded as one: delete it, and name proxies in front of the edge in exotel_ws_proxies"
        )
    if more.get("proxy_protocol"):
        found.append(
            "exotel_ws_settings: proxy_protocol is true, but with exotel_ws_edge it is the edge that takes it: "
            "delete it, and set exotel_ws_proxy_protocol: true"
        )
    return found


def _ports(value: Callable[[str], Any]) -> list[str]:
    taken = {
        "exotel_ws_port": value("exotel_ws_port"),
        "edge_port": value("edge_port"),
        "edge_http_port": value("edge_http_port"),
    }
    names = list(taken)
    found = [
        f"{one} and {other} are both {taken[one]}: give each a port of its own"
        for number, one in enumerate(names)
        for other in names[number + 1 :]
        if taken[one] == taken[other]
    ]
    found += [
        f"{name} is {taken[name]}, on which {_BEHIND[taken[name]]}: take another port" for name in names if taken[name] in _BEHIND
    ]
    return found


def _limits(value: Callable[[str], Any]) -> list[str]:
    known, most = value("edge_known_connections"), value("edge_max_connections")
    if known < most:
        return []
    return [
        f"edge_known_connections is {known}, but edge_max_connections is {most}, so that one source could take every place: "
        f"set edge_known_connections to fewer, such as {max(1, most // 2)}"
    ]


def _certificate(value: Callable[[str], Any]) -> list[str]:
    kind = value("edge_certificate")
    files = {name: value(name) for name in ("edge_certificate_chain", "edge_certificate_key")}
    found = []
    if kind == "acme" and not value("edge_acme_terms_agreed"):
        found.append(
            f"edge_acme_terms_agreed is false, but {value('edge_acme_directory')} issues no certificate otherwise: read its "
            "terms and set edge_acme_terms_agreed: true; or set edge_certificate to self_signed (for tests) or files"
        )
    if kind == "acme" and not value("edge_domain") and not value("exotel_ws_public_host"):
        found.append(
            "edge_domain is empty, but a certificate is for a name: set edge_domain, such as [voice.example.com], to a name that "
            "leads to this host"
        )
    for name, file in files.items():
        what = "chain" if name.endswith("chain") else "private key"
        if kind == "files" and not file:
            found.append(f"{name} is empty, but edge_certificate is files: set it to the file with the {what} as PEM")
        elif kind != "files" and file:
            found.append(f"{name} is set, but edge_certificate is {kind}: set edge_certificate: files, or delete {name}")
    return found


def _keys(value: Callable[[str], Any]) -> list[str]:
    if value("edge_key_in_start") and not value("exotel_ws_credentials"):
        return ["edge_key_in_start is true, but there is no key: set exotel_ws_credentials, or delete edge_key_in_start"]
    return []
