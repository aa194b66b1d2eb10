"""Running VMs as the API describes them, made from the request."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator

from tests.modules.compute.discovery import Json
from tests.modules.compute.links import link, now, numeric_id, path_of


def running(project: str, zone: str, asked: Json, inside: Iterator[str], outside: Iterator[str]) -> Json:
    """Return the VM of `asked`; its networks are full links. Addresses without a name come from `inside` and `outside`."""
    path = f"projects/{project}/zones/{zone}"
    return {
        "description": "",
        "deletionProtection": False,
        "canIpForward": False,
        **{name: value for name, value in asked.items() if name != "params"},
        "kind": "compute#instance",
        "id": numeric_id(),
        "creationTimestamp": now(),
        "lastStartTimestamp": now(),
        "status": "RUNNING",
        "selfLink": link(f"{path}/instances/{asked['name']}"),
        "zone": link(path),
        "machineType": link(path_of(asked["machineType"], project)),
        "tags": _marked(asked.get("tags", {})),
        "metadata": {"kind": "compute#metadata"} | _marked(asked.get("metadata", {})),
        "fingerprint": fingerprint(asked),
        "labelFingerprint": fingerprint(asked.get("labels", {})),
        "disks": [_attached(disk, index, path, asked["name"]) for index, disk in enumerate(asked["disks"])],
        "networkInterfaces": [
            _interface(nic, index, project, zone.rpartition("-")[0], inside, outside)
            for index, nic in enumerate(asked["networkInterfaces"])
        ],
    }


def fingerprint(value: object) -> str:
    return base64.b64encode(hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()[:8]).decode()


def external_addresses(instance: Json) -> list[str]:
    return [
        config["natIP"] for nic in instance["networkInterfaces"] for config in nic.get("accessConfigs", []) if "natIP" in config
    ]


def _marked(value: Json) -> Json:
    return value | {"fingerprint": fingerprint(value)}


def _attached(disk: Json, index: int, home: str, instance: str) -> Json:
    asked = disk.get("initializeParams", {})
    name = asked.get("diskName", instance if index == 0 else f"{instance}-{index}")
    return {
        "kind": "compute#attachedDisk",
        "type": "PERSISTENT",
        "mode": "READ_WRITE",
        "interface": "SCSI",
        "deviceName": f"persistent-disk-{index}",
        "index": index,
        "boot": disk.get("boot", False),
        "autoDelete": disk.get("autoDelete", False),
        "diskSizeGb": asked.get("diskSizeGb", disk.get("diskSizeGb", "10")),
        "source": disk.get("source", link(f"{home}/disks/{name}")),
    }


def _interface(nic: Json, index: int, project: str, region: str, inside: Iterator[str], outside: Iterator[str]) -> Json:
    network = nic["network"]
    subnetwork = nic.get("subnetwork", f"regions/{region}/subnetworks/{network.rsplit('/', 1)[-1]}")
    said = {
        "stackType": "IPV4_ONLY",
        **nic,
        "kind": "compute#networkInterface",
        "name": f"nic{index}",
        "networkIP": nic.get("networkIP") or next(inside),
        "subnetwork": link(path_of(subnetwork, project)),
        "fingerprint": fingerprint(nic),
    }
    configs = [
        {"type": "ONE_TO_ONE_NAT", "name": "external-nat", "networkTier": "PREMIUM"}
        | config
        | {"kind": "compute#accessConfig", "natIP": config.get("natIP") or next(outside)}
        for config in nic.get("accessConfigs", [])
    ]
    return said | ({"accessConfigs": configs} if configs else {})
