"""Projects of a server. Tests arrange and inspect them; handlers read and change them under the server's lock.

A project exists as soon as it is named, with a network "default" as Google makes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.modules.compute.answers import not_found
from tests.modules.compute.discovery import Json
from tests.modules.compute.links import link, now, numeric_id, path_of
from tests.modules.compute.machines import running
from tests.modules.compute.operations import Operations
from tests.modules.compute.policies import Policy, policy_said


@dataclass
class Project:
    """Resources of one project: global ones by name, others by place and name."""

    networks: dict[str, Json] = field(default_factory=dict)
    firewalls: dict[str, Json] = field(default_factory=dict)
    instances: dict[tuple[str, str], Json] = field(default_factory=dict)
    addresses: dict[tuple[str, str], Json] = field(default_factory=dict)
    policies: list[Policy] = field(default_factory=list)
    secure_tags: dict[tuple[str, str], set[str]] = field(default_factory=dict)


class Store:
    """State of a server. Its methods return the resources themselves, so that a test can change them.

    A list has at most `page_size` resources a page.
    """

    def __init__(self) -> None:
        self.operations = Operations()
        self.page_size = 500
        self.inside = _addresses("10.128.0")
        self.outside = _addresses("198.51.100")
        self.reserved = _addresses("203.0.113")
        self._projects: dict[str, Project] = {}

    def project(self, project: str) -> Project:
        if project not in self._projects:
            self._projects[project] = Project()
            self.add_network(project, "default")
        return self._projects[project]

    def firewalls(self, project: str) -> dict[str, Json]:
        """Return the firewall rules of a project by name, in the API's words."""
        return self.project(project).firewalls

    def networks(self, project: str) -> dict[str, Json]:
        """Return the networks of a project by name."""
        return self.project(project).networks

    def instances(self, project: str) -> dict[tuple[str, str], Json]:
        """Return the VMs of a project by zone and name."""
        return self.project(project).instances

    def addresses(self, project: str) -> dict[tuple[str, str], Json]:
        """Return the reserved addresses of a project by region and name, without status and users, which come with an answer."""
        return self.project(project).addresses

    def add_network(
        self, project: str, name: str, *, order: str = "AFTER_CLASSIC_FIREWALL", policies: Iterable[Mapping[str, object]] = ()
    ) -> Json:
        """Add a network whose firewall policies are evaluated in `order`: AFTER_CLASSIC_FIREWALL or BEFORE_CLASSIC_FIREWALL.

        `policies` are arguments of add_policy, for policies of this network.
        """
        network = {
            "kind": "compute#network",
            "id": numeric_id(),
            "creationTimestamp": now(),
            "name": name,
            "selfLink": link(f"projects/{project}/global/networks/{name}"),
            "autoCreateSubnetworks": True,
            "mtu": 1460,
            "routingConfig": {"routingMode": "REGIONAL"},
            "networkFirewallPolicyEnforcementOrder": order,
        }
        self.project(project).networks[name] = network
        for policy in policies:
            self.add_policy(project, **{"type": "NETWORK", **policy, "network": name})  # type: ignore[arg-type]
        return network

    def add_policy(
        self,
        project: str,
        short_name: str,
        rules: Iterable[Json],
        *,
        type: str = "HIERARCHY",
        network: str = "default",
        region: str | None = None,
        priority: int = 1000,
    ) -> Json:
        """Add a firewall policy: HIERARCHY (of a folder above the project; add the highest first), NETWORK or NETWORK_REGIONAL.

        `rules` are as the API has them, and need no more than `priority`, `action` and `match`; the four that every policy ends
        with are added. `priority` is the association's with the network.
        """
        said = policy_said(type, short_name, numeric_id(), rules, priority)
        of = None if type == "HIERARCHY" else link(f"projects/{project}/global/networks/{network}")
        self.project(project).policies.append(Policy(said, of, region))
        return said

    def add_instance(
        self,
        project: str,
        zone: str,
        name: str,
        *,
        networks: Iterable[str] = ("default",),
        tags: Iterable[str] = (),
        service_account: str | None = None,
        secure_tags: Iterable[str] = (),
        external: bool = True,
        **fields: object,
    ) -> Json:
        """Add a running VM with an interface (nic0, nic1 …) in each of `networks`; `external`: each has an external address.

        `secure_tags` are "tagValues/NUMBER"; `fields` are further fields of the resource ("labels", "status").
        """
        config: Json = {"accessConfigs": [{}]} if external else {}
        asked = {
            "name": name,
            "machineType": f"zones/{zone}/machineTypes/e2-small",
            "tags": {"items": list(tags)} if tags else {},
            "disks": [{"boot": True, "autoDelete": True}],
            "networkInterfaces": [
                {"network": self.network(f"global/networks/{one}", project)["selfLink"], **config} for one in networks
            ],
            **({"serviceAccounts": [{"email": service_account, "scopes": []}]} if service_account else {}),
        }
        instance = running(project, zone, asked, self.inside, self.outside) | fields
        self.project(project).instances[zone, name] = instance
        self.project(project).secure_tags[zone, name] = set(secure_tags)
        return instance

    def network(self, reference: str, project: str) -> Json:
        """Return the network of a link in a request of `project`. Raises ApiError (404): there is none."""
        path = path_of(reference, project)
        home, _, name = path.partition("/global/networks/")
        found = self.networks(home.removeprefix("projects/")).get(name) if name else None
        if found is None:
            raise not_found(path)
        return found


def _addresses(start: str) -> Iterator[str]:
    return (f"{start}.{number}" for number in range(2, 255))
