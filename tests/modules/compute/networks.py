"""compute.networks and compute.projects, read-only."""

from __future__ import annotations

from tests.modules.compute.answers import Call
from tests.modules.compute.discovery import Json
from tests.modules.compute.links import link
from tests.modules.compute.pages import page
from tests.modules.compute.store import Store


def get(store: Store, call: Call) -> Json:
    return store.network(f"global/networks/{call.path['network']}", call.project)


def list_(store: Store, call: Call) -> Json:
    return page(call, "compute#networkList", store.networks(call.project).values(), store.page_size)


def project(store: Store, call: Call) -> Json:
    return {
        "kind": "compute#project",
        "id": "123456789012",
        "name": call.project,
        "selfLink": link(f"projects/{call.project}"),
        "defaultNetworkTier": "PREMIUM",
        "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
        "defaultServiceAccount": "123456789012-compute@developer.gserviceaccount.com",
    }


HANDLERS = {"compute.networks.get": get, "compute.networks.list": list_, "compute.projects.get": project}
