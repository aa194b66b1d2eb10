"""compute.instances: VMs that are made, found and deleted, and the firewall rules that are effective on one."""

from __future__ import annotations

import re

from tests.modules.compute.answers import ApiError, Call, already_exists, invalid, not_found
from tests.modules.compute.discovery import Json
from tests.modules.compute.links import path_of
from tests.modules.compute.machines import external_addresses, running
from tests.modules.compute.pages import page
from tests.modules.compute.policies import effective
from tests.modules.compute.store import Store

ZONE = re.compile(r"[a-z]+(?:-[a-z]+)+\d+-[a-z]")
IMAGE = re.compile(r"projects/[^/]+/global/images/(?:family/)?[^/]+")
# Zones that are there even with no VM in them: an aggregated list says so.
EMPTY_ZONES = ("asia-south1-a", "us-central1-a")


def get(store: Store, call: Call) -> Json:
    return _found(store, call)


def list_(store: Store, call: Call) -> Json:
    zone = _zone(call)
    here = [instance for (place, _), instance in store.instances(call.project).items() if place == zone]
    return page(call, "compute#instanceList", here, store.page_size)


def aggregated_list(store: Store, call: Call) -> Json:
    """Return all VMs by zone; a zone with none says so in a warning."""
    said = page(call, "compute#instanceAggregatedList", store.instances(call.project).values(), store.page_size)
    scopes: Json = {}
    for instance in said.get("items", []):
        scopes.setdefault(_scope(instance), {"instances": []})["instances"].append(instance)
    for zone in EMPTY_ZONES:
        scopes.setdefault(f"zones/{zone}", _no_results(f"zones/{zone}"))
    return said | {"items": scopes}


def insert(store: Store, call: Call) -> Json:
    zone, name = _zone(call), call.body["name"]
    path = f"projects/{call.project}/zones/{zone}/instances/{name}"
    if (zone, name) in store.instances(call.project):
        raise already_exists(path)
    asked = _asked(store, call, zone)
    instance = running(call.project, zone, asked, store.inside, store.outside)
    return store.operations.begin(
        call, "insert", path, instance["id"], lambda: store.instances(call.project).update({(zone, name): instance})
    )


def delete(store: Store, call: Call) -> Json:
    instance = _found(store, call)
    if instance["deletionProtection"]:
        raise ApiError(
            400, "invalidUsage", "Invalid resource usage: 'Resource cannot be deleted if it's protected against deletion.'."
        )
    instances, key = store.instances(call.project), (_zone(call), instance["name"])
    return store.operations.begin(
        call, "delete", path_of(instance["selfLink"], call.project), instance["id"], lambda: _drop(instances, key)
    )


def get_effective_firewalls(store: Store, call: Call) -> Json:
    """Return the rules of the interface's network with any target, and those of the policies that hold there."""
    instance, wanted = _found(store, call), call.query["networkInterface"]
    nic = next((nic for nic in instance["networkInterfaces"] if nic["name"] == wanted), None)
    if nic is None:
        raise invalid("networkInterface", wanted, "The network interface does not exist.")
    project = store.project(call.project)
    key = _zone(call), instance["name"]
    accounts = {account["email"] for account in instance.get("serviceAccounts", [])}
    policies = effective(project.policies, nic["network"], _region(key[0]), accounts, project.secure_tags.get(key, set()))
    rules = [rule for rule in project.firewalls.values() if rule["network"] == nic["network"]]
    return {**({"firewalls": rules} if rules else {}), **({"firewallPolicys": policies} if policies else {})}


def _asked(store: Store, call: Call, zone: str) -> Json:
    """Return the VM in the body, with full links to networks. Raises ApiError: Google would not make it."""
    body = call.body
    machine = path_of(body.get("machineType", ""), call.project)
    if not machine.startswith(f"projects/{call.project}/zones/{zone}/machineTypes/"):
        raise invalid("resource.machineType", body.get("machineType", ""), f"Must be a machine type of the zone {zone}.")
    _refuse_disks(body.get("disks", []))
    if not body.get("networkInterfaces"):
        raise invalid("resource.networkInterfaces", [], "At least one network interface is required.")
    nics = []
    for index, nic in enumerate(body["networkInterfaces"]):
        at = f"resource.networkInterfaces[{index}]"
        if f"regions/{_region(zone)}/" not in nic.get("subnetwork", f"regions/{_region(zone)}/"):
            raise invalid(f"{at}.subnetwork", nic["subnetwork"], f"Must be a subnetwork of the region {_region(zone)}.")
        for at_config, config in enumerate(nic.get("accessConfigs", [])):
            _refuse_address(store, call, config.get("natIP"), _region(zone), f"{at}.accessConfigs[{at_config}].natIP")
        nics.append(nic | {"network": store.network(nic.get("network", "global/networks/default"), call.project)["selfLink"]})
    return body | {"networkInterfaces": nics}


def _refuse_disks(disks: list[Json]) -> None:
    if not disks or not disks[0].get("boot"):
        raise invalid("resource.disks", "", "The first disk must be a boot disk.")
    for index, disk in enumerate(disks):
        image = disk.get("initializeParams", {}).get("sourceImage", "")
        if "source" not in disk and not IMAGE.fullmatch(path_of(image, "")):
            raise invalid(f"resource.disks[{index}].initializeParams.sourceImage", image, "The URL is malformed.")


def _refuse_address(store: Store, call: Call, address: str | None, region: str, at: str) -> None:
    """Raise ApiError if a named address is not reserved in the region, or a VM has it."""
    if address is None:
        return
    ours = [one for (place, _), one in store.addresses(call.project).items() if place == region and one["address"] == address]
    if not ours:
        raise invalid(at, address, f"The specified external IP address '{address}' was not found in region '{region}'.")
    if any(address in external_addresses(other) for other in store.instances(call.project).values()):
        raise ApiError(400, "invalid", f"External IP address: {address} is already in-use.")


def _found(store: Store, call: Call) -> Json:
    zone, wanted = _zone(call), call.path["instance"]
    for (place, name), instance in store.instances(call.project).items():
        if place == zone and wanted in (name, instance["id"]):
            return instance
    raise not_found(f"projects/{call.project}/zones/{zone}/instances/{wanted}")


def _zone(call: Call) -> str:
    zone = call.path["zone"]
    if not ZONE.fullmatch(zone):
        raise invalid("zone", zone, "Unknown zone.")
    return zone


def _region(zone: str) -> str:
    return zone.rpartition("-")[0]


def _scope(instance: Json) -> str:
    return f"zones/{instance['zone'].rpartition('/')[2]}"


def _no_results(scope: str) -> Json:
    message = f"There are no results for scope '{scope}' on this page."
    return {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": message, "data": [{"key": "scope", "value": scope}]}}


def _drop(instances: dict[tuple[str, str], Json], key: tuple[str, str]) -> None:
    instances.pop(key, None)


HANDLERS = {
    "compute.instances.get": get,
    "compute.instances.list": list_,
    "compute.instances.aggregatedList": aggregated_list,
    "compute.instances.insert": insert,
    "compute.instances.delete": delete,
    "compute.instances.getEffectiveFirewalls": get_effective_firewalls,
}
