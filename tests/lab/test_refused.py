"""A refused deploy changes nothing: after a kill and after a reboot the host serves as before, with its secrets."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import releases
from tests.lab.labhost import HostSpec, LabHost, Play, bring_up, play, take_down
from tests.lab.test_deploy import PORT, current, instances, this_tree, wait_until

SPEC = HostSpec("exo-t28", "bookworm", "198.18.65.128")
OLD, NEW = "KEY:the-old-token-of-the-lab", "KEY:the-new-token-of-the-lab"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    """Yield a host that serves with the credential `OLD`."""
    inventory = tmp_path_factory.mktemp(SPEC.name) / "hosts.yml"
    [host] = bring_up([SPEC], inventory)
    done = deploy(host, exotel_ws_credentials=[OLD])
    assert done.rc == 0, done.stdout
    yield host
    host.disconnect()
    take_down([SPEC], inventory)


def deploy(host: LabHost, *args: str, source: Path | None = None, **variables: object) -> Play:
    settings = {"exotel_ws_source": str(source or this_tree()), "exotel_ws_accept": ["port", "credentials"], **variables}
    return play("deploy.yml", "--diff", *args, "-e", json.dumps(settings), inventory=host.inventory)


def admits(host: LabHost, credential: str) -> bool:
    """Return whether a call that shows `credential` is echoed."""
    command = [str(Path(sys.executable).with_name("exotelctl")), "call", f"ws://{credential}@{host.address}:{PORT}"]
    return subprocess.run([*command, "--seconds", "0.5"], capture_output=True, timeout=60, check=False).returncode == 0


def kill_workers(host: LabHost) -> None:
    """Kill each worker of the serving generation, and wait until systemd has started all of them again."""
    names = [f"exotel-ws@{name}.service" for name in instances(host, "active")]
    assert len(names) == 2
    restarts = f"systemctl show -P NRestarts {' '.join(names)} | grep -v '^$'"
    before = [int(count) for count in host.run(restarts).stdout.split()]
    host.run(f"sudo systemctl daemon-reload; sudo systemctl kill --signal=KILL {' '.join(names)}")
    wanted = [count + 1 for count in before]
    wait_until("each is started again", lambda: [int(count) for count in host.run(restarts).stdout.split()] >= wanted)
    wait_until("each serves again", lambda: len(instances(host, "active")) == 2)


REFUSED: dict[str, tuple[Callable[[Path], Path] | None, dict[str, object], str]] = {
    "port-taken": (None, {"exotel_ws_port": 22}, "Port 22 cannot be used"),
    "no-consent": (None, {"exotel_ws_port": 9000, "exotel_ws_accept": []}, "calls to 8765 are refused"),
    "settings": (None, {"exotel_ws_settings": {"limts": {"max_calls": 1}}}, "limts"),
    "does-not-start": (releases.release_that_does_not_start, {}, "this release can not start"),
    "never-healthy": (releases.release_that_never_gets_healthy, {}, "is not healthy after"),
}


@pytest.mark.parametrize("credentials", [[NEW], []], ids=["another-secret", "no-secret"])
@pytest.mark.parametrize(("sabotage", "variables", "said"), REFUSED.values(), ids=REFUSED)
def test_what_served_comes_back_after_a_kill_and_after_a_reboot(
    host: LabHost,
    tmp_path: Path,
    sabotage: Callable[[Path], Path] | None,
    variables: dict[str, object],
    said: str,
    credentials: list[str],
) -> None:
    before = current(host)
    source = sabotage(tmp_path / "tree") if sabotage else None
    done = deploy(host, "-e", releases.SOON, source=source, exotel_ws_credentials=credentials, **variables)
    assert done.rc != 0, done.stdout
    assert said in done.stdout
    assert current(host) == before
    kill_workers(host)
    assert (admits(host, OLD), admits(host, NEW)) == (True, False)
    host.reboot()
    wait_until("serving after the reboot", lambda: len(instances(host, "active")) == 2)
    assert (admits(host, OLD), admits(host, NEW)) == (True, False)


def test_what_opens_a_door_is_told_and_asks_for_consent(host: LabHost) -> None:
    """Check mode reports a setting that opens a door; a deploy and a rollback stop before they touch anything."""
    opens: dict[str, Any] = {"exotel_ws_credentials": [], "exotel_ws_accept": []}
    look = (
        "sudo find /etc /opt /usr/local /var/lib/exotel-ws -newer /proc/self/fd/0 -not -type d; readlink /etc/exotel-ws/current"
    )
    before = host.run(f"touch /tmp/now; {look} < /tmp/now").stdout
    checked, refused = deploy(host, "--check", **opens), deploy(host, **opens)
    assert (checked.rc, refused.rc) == (0, 2), checked.stdout + refused.stdout
    for done in (checked, refused):
        assert "streams need no credential any more" in done.stdout
        assert "-e exotel_ws_accept=credentials" in done.stdout
    assert host.run(look).stdout == before

    assert deploy(host, exotel_ws_credentials=[], exotel_ws_accept="credentials").rc == 0
    assert deploy(host, exotel_ws_credentials=[OLD]).rc == 0, "what closes a door needs no consent"
    back = play("playbooks/rollback.yml", inventory=host.inventory)
    assert back.rc != 0
    assert "-e exotel_ws_accept=credentials" in back.stdout
    assert (admits(host, OLD), admits(host, NEW)) == (True, False)


def test_secrets_lie_with_their_generation_and_a_rollback_keeps_the_keys_of_today(host: LabHost) -> None:
    variables: dict[str, Any] = {"exotel_ws_credentials": [NEW], "exotel_ws_max_calls": 77}
    done = deploy(host, "-vvv", **variables)
    assert done.rc == 0, done.stdout
    assert "stream-credentials (another value)" in done.stdout
    assert NEW.partition(":")[2] not in done.stdout
    assert (admits(host, OLD), admits(host, NEW)) == (False, True)
    again = deploy(host, **variables)
    assert (again.rc, again.changed) == (0, 0), again.stdout

    done = play("playbooks/rollback.yml", "--diff", inventory=host.inventory)
    assert done.rc == 0, done.stdout
    assert "max_calls = 77" in done.stdout
    assert "stream-credentials" not in done.stdout
    assert (admits(host, OLD), admits(host, NEW)) == (False, True)
    kill_workers(host)
    assert (admits(host, OLD), admits(host, NEW)) == (False, True)

    files = "sudo find /etc/exotel-ws -path '*/credentials/*' -printf '%u %m %f\\n' | sort -u"
    assert host.run(files).stdout == "root 600 stream-credentials\n"
    seen = host.run(
        "sudo journalctl --namespace=+exotel-ws --output=export; sudo cat /etc/systemd/system/exotel-ws*.service", timeout=60
    ).stdout
    assert "LoadCredential" in seen
    assert "of-the-lab" not in seen
