"""Make the firewall rules that the hosts of a play need, and say what they do. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .edge import public_ports

VARIABLES = (
    "edge_certificate",
    "edge_http_port",
    "edge_port",
    "exotel_ws_edge",
    "exotel_ws_port",
    "gcp_firewall_api_endpoint",
    "gcp_firewall_description",
    "gcp_firewall_extra_ports",
    "gcp_firewall_impersonate_service_account",
    "gcp_firewall_logging",
    "gcp_firewall_name",
    "gcp_firewall_network",
    "gcp_firewall_priority",
    "gcp_firewall_project",
    "gcp_firewall_service_account_file",
    "gcp_firewall_source_ranges",
    "gcp_firewall_state",
    "gcp_firewall_target_tags",
    "gcp_firewall_test",
    "gcp_firewall_timeout",
    "gcp_firewall_tls",
)
"""Variables that `rules` reads."""

_OPEN_TO_ALL = (
    "warning: anybody may connect. Ask Exotel (your account manager, or hello@exotel.com) which addresses its calls come from "
    "and list them in exotel_ws_allowed_sources; or require exotel_ws_credentials. If it is a test: gcp_firewall_test=true"
)
_LONGEST_NAME = 63
"""Letters of a rule's name, at most: Google has none with a longer one."""
_LEFT_OVER = "no ACME authority has to come in by a rule of its own any more"
_NOT_OURS = "stays, for its description is not ours: remove it by hand if an earlier edge left it"
_ONE_NAME = "hosts need different rules under one name: {}. Make them alike, or give each its own gcp_firewall_name"
_NOBODY = (
    "exotel_ws_allowed_sources is empty, which Google takes for everybody: name who may call, "
    "or close the port by gcp_firewall_state=absent"
)


def rules(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rules of a host, each with its `title`, `does`, the end of a sentence about it, and `warning`.

    There is one, and a second for an ACME authority if not everybody is let in: nobody knows which addresses that asks from.
    Where that is not needed it is there all the same, `leftover`, with the state ``absent``.
    """
    sources = values["gcp_firewall_source_ranges"]
    everybody = any(re.search("/0+$", source) for source in sources)
    ports, acme = public_ports(values.__getitem__), values["exotel_ws_edge"] and values["edge_certificate"] == "acme"
    second = acme and not everybody and bool(sources)
    of_calls = [port for port in ports if not (second and port == values["edge_http_port"])]
    found = [_rule(values, of_calls, sources, everybody=everybody)]
    of_acme = _rule(values, [values["edge_http_port"]], ["0.0.0.0/0"], everybody=False, for_acme=True)
    if second:
        found.append(of_acme)
    elif len(of_acme["name"]) <= _LONGEST_NAME:
        found.append({**of_acme, "state": "absent", "leftover": True})
    return found


def _rule(
    values: Mapping[str, Any], public: Iterable[int], sources: list[str], *, everybody: bool, for_acme: bool = False
) -> dict[str, Any]:
    def of(name: str) -> Any:
        return values[f"gcp_firewall_{name}"]

    beside = [] if for_acme else [*(["443"] if of("tls") else []), *of("extra_ports")]
    ports, tags = list(dict.fromkeys([*map(str, public), *beside])), of("target_tags")
    into = f"the instances tagged {', '.join(tags)}" if tags else "all instances"
    name = f"{of('name')}{'-acme' if for_acme else ''}"
    behind = str(values["exotel_ws_port"])
    closed = values["exotel_ws_edge"] and not for_acme and behind not in ports
    return {
        "title": f"{name} of {of('project')}",
        "project": of("project"),
        "name": name,
        "state": of("state"),
        "description": of("description"),
        "network": of("network"),
        "priority": of("priority"),
        "ports": ports,
        "sources": sources,
        "tags": tags,
        "logging": of("logging"),
        "service_account_file": of("service_account_file"),
        "impersonate_service_account": of("impersonate_service_account"),
        "api_endpoint": of("api_endpoint"),
        "timeout": of("timeout"),
        "does": f"in {', '.join(f'tcp:{port}' for port in ports)} from {', '.join(sources)} to {into} "
        f"of network {of('network')}, priority {of('priority')}"
        + (f"; tcp:{behind} is closed, for the server is behind the edge" if closed else ""),
        "leftover": False,
        "warning": _OPEN_TO_ALL if everybody and not of("test") else "",
    }


def fleet_firewall(hosts: Mapping[str, Sequence[Mapping[str, Any]]], *, whole: bool = True) -> dict[str, Any]:
    """Return the `rules` of a play by title, each once, the hosts `without` one, and `refusal`, why no rule can be made.

    `hosts` has the `rules` of each host; one without a project needs none. A leftover goes if no host needs it: unless they are
    the `whole` inventory, another one may.
    """
    of_hosts = [one for of_host in hosts.values() for one in of_host if one["project"]]
    needed = [one for one in of_hosts if not one["leftover"]]
    found = {one["title"]: one for one in needed}
    if whole:
        found |= {one["title"]: one for one in of_hosts if one["leftover"] and one["title"] not in found}
    refusal = ""
    if any(one["state"] == "present" and not one["sources"] for one in needed):
        refusal = _NOBODY
    elif any(one != found[one["title"]] for one in needed):
        refusal = _ONE_NAME.format(" | ".join(dict.fromkeys(one["does"] for one in needed)))
    without = [host for host, of_host in hosts.items() if not any(one["project"] for one in of_host)]
    return {"rules": found, "without": without, "refusal": refusal}


def told(fleet: Mapping[str, Any], results: Iterable[Mapping[str, Any]], *, check: bool) -> list[str]:
    """Return a line for each rule of `fleet_firewall` that was made or removed, for warnings, and for hosts without a rule.

    `results` are those of the task's loop over the titles; with `check` a change would be made.
    """
    lines = []
    for done in results:
        one, changed = fleet["rules"][done["item"]], bool(done.get("changed"))
        would = check and changed
        if one["leftover"]:
            if changed:
                lines.append(f"rule {one['title']} {'would be gone' if would else 'is gone'}: {_LEFT_OVER}")
            elif done.get("rule"):
                lines.append(f"rule {one['title']} {_NOT_OURS}")
        elif one["state"] == "absent":
            lines.append(f"rule {one['title']} {'would be gone' if would else 'is gone'}")
        else:
            lines.append(f"rule {one['title']} {'would let' if would else 'lets'} {one['does']}")
    warnings = [one["warning"] for one in fleet["rules"].values() if one["state"] == "present" and one["warning"]]
    lines += dict.fromkeys(warnings)
    if fleet["without"]:
        lines.append(f"no gcp_project, skipped: {', '.join(fleet['without'])}")
    return lines
