"""A key is replaced without a cut call: made, deployed, seen in use; the old one retired, refused as such. No output has one."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.labhost import HostSpec, LabHost, Play, bring_up, play, take_down
from tests.lab.test_deploy import PORT, assert_nobody_noticed, this_tree, traffic, url, wait_until

SPEC = HostSpec("exo-t46", "bookworm", "198.18.65.146")
SHOWN = re.compile(r"^The new key, shown this once: (\S+):([0-9a-f]{64})$", re.MULTILINE)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    """Yield a bare host; beside its inventory are variables of an operator."""
    inventory = tmp_path_factory.mktemp("production") / "hosts.yml"
    (inventory.parent / "group_vars").mkdir()
    (inventory.parent / "group_vars/all.yml").write_text(f"# of the operator\nexotel_ws_source: {this_tree()}\n")
    [host] = bring_up([SPEC], inventory)
    yield host
    host.disconnect()
    take_down([SPEC], inventory)


class Operator:
    """Somebody who types playbooks with a vault password, as loud as they can be; keeps all output."""

    def __init__(self, host: LabHost, password: Path) -> None:
        self._host = host
        self._password = password
        self.outputs: list[str] = []

    def types(self, playbook: str, *variables: str) -> Play:
        extra = [word for variable in variables for word in ("-e", variable)]
        secret = ("--vault-password-file", str(self._password))
        done = play(playbook, "-vvv", "--diff", *secret, *extra, inventory=self._host.inventory)
        self.outputs.append(done.stdout)
        return done

    def adds(self) -> tuple[str, str]:
        """Make a key and let the servers take it; return its name and its token, which no kept output has."""
        done = self.types("playbooks/keys.yml", "keys_action=add")
        assert done.rc == 0, done.stdout
        [(name, token)] = SHOWN.findall(done.stdout)
        self.outputs[-1] = done.stdout.replace(f"{name}:{token}", "", 1)
        self.deploys()
        return name, token

    def deploys(self) -> None:
        done = self.types("deploy.yml")
        assert done.rc == 0, done.stdout


def is_taken(host: LabHost, name: str, token: str) -> bool:
    """Return whether a call that shows the key as Exotel does is echoed."""
    command = [str(Path(sys.executable).with_name("exotelctl")), "call", f"ws://{name}:{token}@{host.address}:{PORT}"]
    return subprocess.run([*command, "--seconds", "0.5"], capture_output=True, timeout=60, check=False).returncode == 0


def known(host: LabHost) -> dict[str, tuple[str, list[str]]]:
    """Return state and places of use of each key, by its name."""
    said = json.loads(host.run("sudo exotelctl keys --json", check=False).stdout)
    return {key["name"]: (key["state"], sorted(key["places"])) for key in said["keys"]}


@pytest.mark.timeout(600)
def test_a_key_is_replaced_without_a_cut_call(host: LabHost, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("of the test\n")
    operator = Operator(host, tmp_path / "password")
    old, old_token = operator.adds()
    with traffic(host, held=1, arrivals=0, to=f"{url(host)}/{old_token}") as reports:
        new, new_token = operator.adds()
        assert is_taken(host, new, new_token)
        wait_until(
            "the use of both is recorded", lambda: known(host) == {old: ("serving", ["path"]), new: ("serving", ["header"])}
        )
        whole = host.run("sudo exotelctl url --with-key").stdout
        assert whole == f"ws://{new}:{new_token}@{host.address}:{PORT}?sample-rate=8000\n"

        listed = operator.types("playbooks/keys.yml")
        assert (listed.rc, listed.changed) == (0, 0), listed.stdout
        assert re.search(rf"{old} +yes +{host.name} +serving .* ago +path 1", listed.stdout)
        refused = operator.types("playbooks/keys.yml", "keys_action=retire", f"keys_name={old}")
        assert refused.rc != 0
        assert f"it is still in use: {host.name} saw it" in " ".join(refused.stdout.split())
        forced = operator.types("playbooks/keys.yml", "keys_action=retire", f"keys_name={old}", "keys_force=true")
        assert forced.rc == 0, forced.stdout
        operator.deploys()

        assert (is_taken(host, old, old_token), is_taken(host, new, new_token)) == (False, True)
        lines = host.run("sudo exotelctl logs --event refused -n 1 --json").stdout.splitlines()
        assert json.loads(lines[-1])["fields"]["DETAIL"] == "retired"
        wait_until("it is known to be retired", lambda: known(host)[old][0] == "retired")
    assert_nobody_noticed(reports[0], least_calls=1)

    again = operator.types("deploy.yml")
    assert (again.rc, again.changed) == (0, 0), again.stdout
    processes = "sudo sh -c 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ'"
    told = "sudo journalctl --namespace=+exotel-ws --no-pager; sudo exotelctl keys; sudo exotelctl keys --json; exotelctl status"
    places = [*operator.outputs, host.run(processes, check=False).stdout, host.run(told).stdout]
    assert [token for token in (old_token, new_token) for text in places if token in text] == []
