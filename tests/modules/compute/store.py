"""What the projects of a server have. Tests arrange it and look at it; handlers read and change it under the server's lock.

A project exists as soon as it is named, with a network "default" as Google makes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.modules.compute.answers import not_found
from tests.modules.compute.discovery import Json
from tests.modules.compute.links import link, now, numeric_id, path_of
from tests.modules.compute.operations import Operations


@dataclass
class Project:
    """The resources of one project, each by its path ("projects/p/global/firewalls/f")."""

    networks: dict[str, Json] = field(default_factory=dict)
    firewalls: dict[str, Json] = field(default_factory=dict)


class Store:
    """The state of a server. What its methods return are the resources themselves, so that a test can change them."""

    def __init__(self) -> None:
        self.operations = Operations()
        self.page_size = 500
        self._projects: dict[str, Project] = {}

    def project(self, project: str) -> Project:
        if project not in self._projects:
            self._projects[project] = Project()
            self.add_network(project, "default")
        return self._projects[project]

    def firewalls(self, project: str) -> dict[str, Json]:
        """The firewall rules of a project by name, as the API says them."""
        return self.project(project).firewalls

    def networks(self, project: str) -> dict[str, Json]:
        """The networks of a project by name."""
        return self.project(project).networks

    def add_network(self, project: str, name: str, *, order: str = "AFTER_CLASSIC_FIREWALL") -> Json:
        """A network whose firewall policies are evaluated in `order`: AFTER_CLASSIC_FIREWALL or BEFORE_CLASSIC_FIREWALL."""
        path = f"projects/{project}/global/networks/{name}"
        network = {
            "kind": "compute#network",
            "id": numeric_id(),
            "creationTimestamp": now(),
            "name": name,
            "selfLink": link(path),
            "autoCreateSubnetworks": True,
            "mtu": 1460,
            "routingConfig": {"routingMode": "REGIONAL"},
            "networkFirewallPolicyEnforcementOrder": order,
        }
        self.project(project).networks[name] = network
        return network

    def network(self, reference: str, project: str) -> Json:
        """The network that a link in a request of `project` means. Raises ApiError (404): there is none."""
        path = path_of(reference, project)
        home, _, name = path.partition("/global/networks/")
        found = self.networks(home.removeprefix("projects/")).get(name) if name else None
        if found is None:
            raise not_found(path)
        return found
