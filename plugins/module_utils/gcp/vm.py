"""A VM for the server: what is asked of Google to make it, and what there is to do where something of it is there already.

A VM is made with an external address that was reserved before it, so that it keeps it. One that exists is never changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

LABELS = {"managed-by": "exotel-voicebot"}
ADDRESS_DESCRIPTION = "exotel-voicebot: external address of a VM"
# What a VM is before it runs.
SOON = ("PROVISIONING", "STAGING", "PENDING")

_SHOWN = ("machine_type", "disk_gb", "network", "tags")
_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_ZONE = re.compile(r"[a-z]+(?:-[a-z0-9]+)*-[a-z]+[0-9]+-[a-z]")
_USER = re.compile(r"[a-z_][-a-z0-9_]{0,31}")
_KEY = re.compile(r"(?:ssh|ecdsa|sk)-[-a-z0-9@.]+ [A-Za-z0-9+/]+=*(?: [^\n]*)?")


class WrongOption(ValueError):
    """A value of an option cannot be right. Its text begins with the option."""


@dataclass(frozen=True)
class Wanted:
    """The VM that is to be there, or gone; its address has its name. A VM that is to be there has a key.

    Raises WrongOption for what Google would not take.
    """

    project: str
    name: str
    zone: str
    machine_type: str
    image: str
    disk_gb: int
    network: str
    subnetwork: str | None
    tags: tuple[str, ...]
    ssh_user: str
    ssh_public_key: str | None

    def __post_init__(self) -> None:
        for option, value, pattern, example in (
            ("name", self.name, _NAME, "voicebot-1"),
            ("zone", self.zone, _ZONE, "asia-south1-a; gcloud compute zones list shows all"),
            ("ssh_user", self.ssh_user, _USER, "deploy"),
            *(("tags", tag, _NAME, "exotel-voicebot") for tag in self.tags),
        ):
            if not pattern.fullmatch(value):
                raise WrongOption(f"{option}: {value!r} cannot be one; an example is {example}")
        if self.ssh_public_key is not None and not _KEY.fullmatch(self.ssh_public_key):
            # What was given is not shown: it may be the private one.
            raise WrongOption("ssh_public_key: this is not the one line of a .pub file, ssh-ed25519 AAAA…")
        if self.ssh_user == "root":
            raise WrongOption("ssh_user: Google's images let nobody log in as root; name another user, who may then use sudo")

    @property
    def region(self) -> str:
        return self.zone.rpartition("-")[0]


@dataclass(frozen=True)
class Vm:
    """A VM that exists. `address` is its external address, or empty."""

    status: str
    machine_type: str
    disk_gb: int
    network: str
    tags: tuple[str, ...]
    address: str
    ssh_keys: tuple[str, ...]
    ours: bool


@dataclass(frozen=True)
class Address:
    """An address that is reserved. `users` are the names of what uses it."""

    ip: str
    external: bool
    users: tuple[str, ...]
    ours: bool


@dataclass(frozen=True)
class Plan:
    """Steps to take, in order: ``reserve``, ``create``, ``delete``, ``release``. With a problem, nothing is done."""

    steps: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def plan_present(wanted: Wanted, vm: Vm | None, address: Address | None) -> Plan:
    problems = [*_address_problems(wanted, address)]
    if vm is None:
        return Plan(("create",) if address else ("reserve", "create"), tuple(problems))
    problems += _vm_problems(wanted, vm, address)
    return Plan((), tuple(problems), tuple(_vm_warnings(wanted, vm)))


def plan_absent(wanted: Wanted, vm: Vm | None, address: Address | None) -> Plan:
    """Only what this module made is removed; an address that it found reserved is kept, and told of."""
    if vm and not vm.ours:
        label = "=".join(*LABELS.items())
        return Plan(problems=(f"VM {wanted.name} was not made by this module, for it has no label {label}; nothing is deleted",))
    steps = ["delete"] if vm else []
    kept = _why_kept(wanted, address)
    if address and not kept:
        steps.append("release")
    return Plan(tuple(steps), warnings=(f"address {wanted.name} stays reserved: {kept}",) if kept else ())


def _why_kept(wanted: Wanted, address: Address | None) -> str:
    others = [user for user in address.users if user != wanted.name] if address else []
    if others:
        return f"{', '.join(others)} uses it"
    return "it was not reserved by this module" if address and not address.ours else ""


def _address_problems(wanted: Wanted, address: Address | None) -> list[str]:
    if address is None:
        return []
    cure = f"give the VM another name, for its address has the same: gcloud compute addresses list --project={wanted.project}"
    if not address.external:
        return [f"address {wanted.name} ({address.ip}) is an internal one; {cure}"]
    others = [user for user in address.users if user != wanted.name]
    return [f"address {wanted.name} ({address.ip}) is in use by {', '.join(others)}; {cure}"] if others else []


def _vm_problems(wanted: Wanted, vm: Vm, address: Address | None) -> list[str]:
    """Return why no call would reach the server on `vm`."""
    at = f"--zone={wanted.zone} --project={wanted.project}"
    problems = []
    if vm.status != "RUNNING":
        problems.append(f"it is {vm.status}: {_to_run(wanted, vm)}")
    if vm.network != network_of(wanted.network, wanted.project):
        problems.append(f"it is in the network {vm.network}, not {wanted.network}: give that one, or make another VM")
    missing = [tag for tag in wanted.tags if tag not in vm.tags]
    if missing:
        tags = ",".join(missing)
        problems.append(f"it lacks the network tags {tags}: gcloud compute instances add-tags {wanted.name} --tags={tags} {at}")
    if not vm.address:
        problems.append(
            "it has no external address: gcloud compute instances add-access-config "
            f"{wanted.name} {at}" + (f" --address={address.ip}" if address else "")
        )
    elif address is None:
        problems.append(
            f"its address {vm.address} is lost when it stops: gcloud compute addresses create {wanted.name} "
            f"--addresses={vm.address} --region={wanted.region} --project={wanted.project}"
        )
    elif vm.address != address.ip:
        problems.append(
            f"it has the address {vm.address}, but {wanted.name} is {address.ip}: gcloud compute addresses delete {wanted.name} "
            f"--region={wanted.region} --project={wanted.project} if nothing needs that one, and run it again"
        )
    return [f"VM {wanted.name} exists and is not changed, but {problem}" for problem in problems]


def _to_run(wanted: Wanted, vm: Vm) -> str:
    if vm.status in SOON:
        return "wait a minute and run it again"
    verb = "resume" if vm.status.startswith("SUSPEND") else "start"
    return f"gcloud compute instances {verb} {wanted.name} --zone={wanted.zone} --project={wanted.project}"


def _vm_warnings(wanted: Wanted, vm: Vm) -> list[str]:
    """Return what differs and may stay so."""
    at = f"--zone={wanted.zone} --project={wanted.project}"
    warnings = []
    if vm.machine_type != wanted.machine_type:
        warnings.append(
            f"its machine type is {vm.machine_type}, not {wanted.machine_type}: when it is stopped, "
            f"gcloud compute instances set-machine-type {wanted.name} --machine-type={wanted.machine_type} {at}"
        )
    if vm.disk_gb < wanted.disk_gb:
        warnings.append(
            f"its disk has {vm.disk_gb} GB, not {wanted.disk_gb}: "
            f"gcloud compute disks resize {wanted.name} --size={wanted.disk_gb}GB {at}"
        )
    if not any(_same_key(line, _login(wanted)) for line in vm.ssh_keys):
        warnings.append(
            f"the key is not among those that it has for {wanted.ssh_user}: "
            f"gcloud compute ssh {wanted.ssh_user}@{wanted.name} --ssh-key-file=PRIVATE_KEY {at} adds it"
        )
    return [f"VM {wanted.name} exists and is not changed: {warning}" for warning in warnings]


def _login(wanted: Wanted) -> str:
    return f"{wanted.ssh_user}:{wanted.ssh_public_key}"


def _same_key(line: str, other: str) -> bool:
    """Tell whether two lines of the metadata ``ssh-keys`` are the same key of the same user, whatever their comments."""
    return line.split()[:2] == other.split()[:2]


def network_of(reference: str, project: str) -> str:
    """Return the ``projects/…/global/networks/…`` that a name or link means."""
    path = reference.rpartition("/compute/v1/")[2]
    if path.startswith("projects/"):
        return path
    return f"projects/{project}/{path}" if "/" in path else f"projects/{project}/global/networks/{path}"


def _image(reference: str) -> str:
    """Return the link of an image: itself, or ``PROJECT/FAMILY`` made one."""
    if reference.count("/") != 1:
        return reference
    project, _, family = reference.partition("/")
    return f"projects/{project}/global/images/family/{family}"


def _subnetwork(wanted: Wanted) -> dict[str, str]:
    if not wanted.subnetwork:
        return {}
    link = wanted.subnetwork if "/" in wanted.subnetwork else f"regions/{wanted.region}/subnetworks/{wanted.subnetwork}"
    return {"subnetwork": link if link.startswith(("projects/", "https:")) else f"projects/{wanted.project}/{link}"}


def address_body(wanted: Wanted) -> dict[str, Any]:
    """Return the address to ask Google for."""
    return {
        "name": wanted.name,
        "address_type": "EXTERNAL",
        "network_tier": "PREMIUM",
        "description": ADDRESS_DESCRIPTION,
    }


def vm_body(wanted: Wanted, ip: str) -> dict[str, Any]:
    """Return the VM to ask Google for. It has no service account, for the server needs nothing of Google."""
    # OS Login would make the VM ignore the key.
    metadata = {"enable-oslogin": "FALSE", "ssh-keys": _login(wanted)}
    return {
        "name": wanted.name,
        "description": "Exotel WebSocket Server",
        "labels": LABELS,
        "machine_type": f"zones/{wanted.zone}/machineTypes/{wanted.machine_type}",
        "tags": {"items": list(wanted.tags)},
        "metadata": {"items": [{"key": key, "value": value} for key, value in metadata.items()]},
        "disks": [
            {
                "boot": True,
                "auto_delete": True,
                "initialize_params": {"source_image": _image(wanted.image), "disk_size_gb": wanted.disk_gb},
            }
        ],
        "network_interfaces": [
            {
                "network": network_of(wanted.network, wanted.project),
                **_subnetwork(wanted),
                "access_configs": [{"type_": "ONE_TO_ONE_NAT", "name": "External NAT", "nat_i_p": ip, "network_tier": "PREMIUM"}],
            }
        ],
    }


def seen_address(address: Any) -> Address:
    """Return what matters of Google's `address`."""
    return Address(
        ip=address.address,
        external=address.address_type != "INTERNAL",
        users=tuple(user.rpartition("/")[2] for user in address.users),
        ours=address.description == ADDRESS_DESCRIPTION,
    )


def seen_vm(instance: Any) -> Vm:
    """Return what matters of Google's `instance`."""
    interface = instance.network_interfaces[0]
    metadata = {item.key: item.value for item in instance.metadata.items}
    return Vm(
        status=instance.status,
        machine_type=instance.machine_type.rpartition("/")[2],
        disk_gb=next((disk.disk_size_gb for disk in instance.disks if disk.boot), 0),
        network=network_of(interface.network, ""),
        tags=tuple(instance.tags.items),
        address=next((config.nat_i_p for config in interface.access_configs if config.nat_i_p), ""),
        ssh_keys=tuple(metadata.get("ssh-keys", "").splitlines()),
        ours=all(instance.labels.get(key) == value for key, value in LABELS.items()),
    )


def shown(vm: Vm | None, address: Address | None) -> dict[str, Any]:
    """Return what is there, for a diff, in the words of the options."""
    return {
        "address": address.ip if address else "none",
        "vm": {name: getattr(vm, name) for name in _SHOWN} if vm else "none",
    }


def shown_after(plan: Plan, wanted: Wanted, vm: Vm | None, address: Address | None) -> dict[str, Any]:
    """Return what is there when `plan` is done, as `shown` does."""
    after = shown(vm, address)
    if "reserve" in plan.steps:
        after["address"] = "a new one"
    if "create" in plan.steps:
        after["vm"] = {name: getattr(wanted, name) for name in _SHOWN}
        after["vm"]["network"] = network_of(wanted.network, wanted.project)
    if "delete" in plan.steps:
        after["vm"] = "none"
    if "release" in plan.steps:
        after["address"] = "none"
    return after
