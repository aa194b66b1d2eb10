"""compute.addresses: external addresses that a project has reserved in a region."""

from __future__ import annotations

import re

from tests.modules.compute.answers import ApiError, Call, already_exists, invalid, not_found
from tests.modules.compute.discovery import Json
from tests.modules.compute.links import link, now, numeric_id
from tests.modules.compute.machines import external_addresses, fingerprint
from tests.modules.compute.pages import page
from tests.modules.compute.store import Store

REGION = re.compile(r"[a-z]+(?:-[a-z]+)+\d+")


def get(store: Store, call: Call) -> Json:
    return _seen(store, call, _found(store, call))


def list_(store: Store, call: Call) -> Json:
    region = _region(call)
    here = [_seen(store, call, one) for (place, _), one in store.addresses(call.project).items() if place == region]
    return page(call, "compute#addressList", here, store.page_size)


def insert(store: Store, call: Call) -> Json:
    region, name = _region(call), call.body["name"]
    path = f"projects/{call.project}/regions/{region}/addresses/{name}"
    if (region, name) in store.addresses(call.project):
        raise already_exists(path)
    address = {
        "description": "",
        "addressType": "EXTERNAL",
        "networkTier": "PREMIUM",
        **call.body,
        "address": call.body.get("address") or next(store.reserved),
        "kind": "compute#address",
        "id": numeric_id(),
        "creationTimestamp": now(),
        "labelFingerprint": fingerprint(call.body.get("labels", {})),
        "region": link(f"projects/{call.project}/regions/{region}"),
        "selfLink": link(path),
    }
    return store.operations.begin(
        call, "insert", path, address["id"], lambda: store.addresses(call.project).update({(region, name): address})
    )


def delete(store: Store, call: Call) -> Json:
    address, region = _found(store, call), _region(call)
    path = f"projects/{call.project}/regions/{region}/addresses/{address['name']}"
    if users := _users(store, call, address):
        why = f"The address resource '{path}' is already being used by '{users[0].partition('/v1/')[2]}'"
        raise ApiError(400, "resourceInUseByAnotherResource", why)
    addresses = store.addresses(call.project)
    return store.operations.begin(call, "delete", path, address["id"], lambda: _drop(addresses, (region, address["name"])))


def _seen(store: Store, call: Call, address: Json) -> Json:
    """Return an address with its present status and users."""
    users = _users(store, call, address)
    return address | ({"status": "IN_USE", "users": users} if users else {"status": "RESERVED"})


def _users(store: Store, call: Call, address: Json) -> list[str]:
    return [vm["selfLink"] for vm in store.instances(call.project).values() if address["address"] in external_addresses(vm)]


def _found(store: Store, call: Call) -> Json:
    region, wanted = _region(call), call.path["address"]
    for (place, name), address in store.addresses(call.project).items():
        if place == region and wanted in (name, address["id"]):
            return address
    raise not_found(f"projects/{call.project}/regions/{region}/addresses/{wanted}")


def _region(call: Call) -> str:
    region = call.path["region"]
    if not REGION.fullmatch(region):
        raise invalid("region", region, "Unknown region.")
    return region


def _drop(addresses: dict[tuple[str, str], Json], key: tuple[str, str]) -> None:
    addresses.pop(key, None)


HANDLERS = {
    "compute.addresses.get": get,
    "compute.addresses.list": list_,
    "compute.addresses.insert": insert,
    "compute.addresses.delete": delete,
}
