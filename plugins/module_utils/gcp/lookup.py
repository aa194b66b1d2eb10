"""Ask the Compute API for what an instance's firewall verdict rests on. Only reads; answers in the API's own JSON."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from .calls import Calls
from .effective import NETWORK_POLICIES
from .faults import Fault
from .interface import Interface, has_address

_PAGE = 500


def addresses_of(host: str) -> list[str]:
    """``host`` itself if it is an address, otherwise what its name stands for. Raises Fault."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Fault(f"address: {host} is no IP address and cannot be resolved: {error}", reason="invalid") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def instance_named(calls: Calls, name: str, zone: str | None) -> dict[str, Any]:
    """The instance, wherever it is if ``zone`` is not given. Raises Fault."""
    if zone:
        return _json(calls.read("Instances", "get", f"instance {name}", instance=name, zone=zone))
    found, unseen = _instances(calls, filter=f"name = {name}")
    if len(found) > 1:
        zones = " and ".join(sorted(_last(instance["zone"]) for instance in found))
        raise Fault(f"instance {name} is in the zones {zones}: say which one, with zone", reason="invalid")
    if not found:
        raise _not_found(calls, f"instance {name}", unseen)
    return found[0]


def instance_at(calls: Calls, addresses: list[str]) -> tuple[dict[str, Any], str]:
    """The instance that has one of ``addresses``, and which one. Raises Fault.

    Every instance is looked at: whether a filter finds an address among an instance's interfaces is nowhere promised.
    """
    instances, unseen = _instances(calls)
    # An external address is one instance's; an internal one may be in several networks.
    found = [(instance, address) for address in addresses for instance in instances if has_address(instance, address)]
    if not found:
        raise _not_found(calls, f"instance with the address {' or '.join(addresses)}", unseen)
    names = {instance["selfLink"]: instance["name"] for instance, _ in found}
    if len(names) > 1:
        raise Fault(
            f"{', '.join(sorted(names.values()))} have this address: say which one, with instance and zone", reason="invalid"
        )
    return found[0]


def effective_firewalls(calls: Calls, instance: dict[str, Any], nic: Interface) -> dict[str, Any]:
    """The rules and policies that are in effect on the interface. Raises Fault."""
    what = f"effective firewalls of {nic.name} of instance {instance['name']}"
    zone = _last(instance["zone"])
    return _json(
        calls.read("Instances", "get_effective_firewalls", what, instance=instance["name"], zone=zone, network_interface=nic.name)
    )


def are_policies_first(calls: Calls, nic: Interface, effective: dict[str, Any]) -> bool:
    """Return True if the network puts its policies before its VPC rules; asked only where it has some. Raises Fault."""
    if not any(policy.get("type") in NETWORK_POLICIES for policy in effective.get("firewallPolicys", ())):
        return False
    _, project, _, _, name = nic.network.split("/")
    network = _json(calls.read("Networks", "get", f"network {name}", project=project, network=name))
    return bool(network.get("networkFirewallPolicyEnforcementOrder") == "BEFORE_CLASSIC_FIREWALL")


def _instances(calls: Calls, **request: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """All instances, and the zones that could not be asked."""
    scopes = calls.read_all("Instances", "aggregated_list", "list of instances", max_results=_PAGE, **request)
    found = [_json(instance) for _, scope in scopes for instance in scope.instances]
    return found, [name for name, scope in scopes if scope.warning.code == "UNREACHABLE"]


def _not_found(calls: Calls, what: str, unseen: list[str]) -> Fault:
    where = f"project {calls.session.project}"
    hint = f"; these could not be asked: {', '.join(map(_last, unseen))}" if unseen else ""
    return Fault(
        f"no {what} in {where}{hint}. Is it in another project, or the address a load balancer's? "
        f"gcloud compute instances list --project={calls.session.project}",
        reason="notFound",
    )


def _last(link: str) -> str:
    return link.rpartition("/")[2]


def _json(message: Any) -> dict[str, Any]:
    """A message of the client as the API's JSON, with the API's names."""
    from google.protobuf.json_format import MessageToDict

    return dict(MessageToDict(type(message).pb(message)))
