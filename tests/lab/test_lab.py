"""The lab itself: hosts are real, the playbook is idempotent, a reboot comes back, and nothing is left of a removed host."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.labhost import LAB_DIR, HostSpec, LabHost, bring_up, lab, take_down

BOOKWORM = HostSpec("exo-t10", "bookworm", "198.18.65.110")
TRIXIE = HostSpec("exo-t11", "trixie", "198.18.65.111")
SPECS = (BOOKWORM, TRIXIE)
SYSTEMD = {"bookworm": "systemd 252", "trixie": "systemd 257"}
STRICT = (
    "DynamicUser=yes",
    "PrivateUsers=yes",
    "PrivateDevices=yes",
    "PrivateNetwork=yes",
    "PrivateTmp=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "RestrictNamespaces=yes",
    "MemoryDenyWriteExecute=yes",
    "CapabilityBoundingSet=",
    "SystemCallFilter=@system-service",
    "LoadCredential=secret:/etc/hostname",
)


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab") / "hosts.yml"


@pytest.fixture(scope="module")
def hosts(inventory: Path) -> Iterator[dict[str, LabHost]]:
    yield {host.suite: host for host in bring_up(SPECS, inventory)}
    take_down(SPECS, inventory)


@pytest.fixture(params=["bookworm", "trixie"])
def host(request: pytest.FixtureRequest, hosts: dict[str, LabHost]) -> LabHost:
    return hosts[request.param]


def test_its_systemd_is_pid_1_and_nothing_failed(host: LabHost) -> None:
    assert host.run("systemctl is-system-running --wait").stdout.strip() == "running"
    assert host.run("systemctl --version").stdout.startswith(SYSTEMD[host.suite])
    facts = host.run("cat /proc/1/comm; stat -fc %T /sys/fs/cgroup; hostname").stdout.split()
    assert facts == ["systemd", "cgroup2fs", host.name]


def test_a_host_reaches_its_package_mirror(host: LabHost) -> None:
    update = host.run("sudo apt-get --error-on=any update", timeout=60)
    assert f"{host.suite} InRelease" in update.stdout


def test_a_strictly_sandboxed_service_runs(host: LabHost) -> None:
    properties = " ".join(f"-p {setting}" for setting in STRICT)
    seen = host.run(
        f"sudo systemd-run --quiet --wait --pipe {properties} sh -c"
        " 'cat $$CREDENTIALS_DIRECTORY/secret; grep -c : /proc/self/net/dev; ls /proc | grep -c ^[0-9]'"
    )
    name, interfaces, processes = seen.stdout.split()
    assert (name, interfaces) == (host.name, "1")
    assert int(processes) <= 4, "other processes are visible"


def test_a_unit_keeps_others_out_by_address(host: LabHost) -> None:
    """IPAddressDeny works. It is a BPF program: a host that may not load it would silently let everybody in."""
    ping = "import socket; socket.create_connection(('198.18.65.1', 9), 3)"
    denied = host.run(f'sudo systemd-run --quiet --wait --pipe -p IPAddressDeny=any python3 -c "{ping}"', check=False)
    free = host.run(f'sudo systemd-run --quiet --wait --pipe python3 -c "{ping}"', check=False)
    assert ("TimeoutError" in denied.stderr, "ConnectionRefusedError" in free.stderr) == (True, True)


def test_twelve_thousand_sockets_fit_in_a_service(host: LabHost) -> None:
    many = "import socket; held = [socket.socket() for _ in range(12_000)]; print(len(held))"
    assert host.run(f'sudo systemd-run --quiet --wait --pipe -p LimitNOFILE=65536 python3 -c "{many}"').stdout == "12000\n"


def test_a_reboot_comes_back_with_its_files_and_journal(host: LabHost) -> None:
    before = host.boot_id()
    host.run("sudo touch /var/kept")
    host.reboot()
    assert host.boot_id() != before
    assert host.run("systemctl is-system-running --wait; ls /var/kept").stdout.split() == ["running", "/var/kept"]
    assert before.replace("-", "") in host.run("sudo journalctl --list-boots").stdout


def test_a_second_run_changes_nothing(hosts: dict[str, LabHost], inventory: Path) -> None:
    again = lab(SPECS, inventory)
    assert (again.rc, again.changed) == (0, 0), again.stdout


def test_check_mode_tells_and_does_nothing(hosts: dict[str, LabHost], inventory: Path) -> None:
    before = hosts["bookworm"].boot_id()
    another = HostSpec("exo-t14", "trixie", "198.18.65.114")
    checked = lab([BOOKWORM, another], inventory, "--check", "--diff", fresh=True)
    assert (checked.rc, checked.changed) == (0, 2), checked.stdout
    assert not (LAB_DIR / "hosts" / another.name).exists()
    assert another.name not in inventory.read_text()
    assert hosts["bookworm"].boot_id() == before


def test_fresh_forgets_what_was_on_a_host_but_not_its_key(hosts: dict[str, LabHost], inventory: Path) -> None:
    bookworm = hosts["bookworm"]
    bookworm.run("sudo touch /var/forgotten")
    pinned = bookworm.known_hosts.read_text()
    bring_up([BOOKWORM], inventory, fresh=True)
    assert bookworm.run("ls /var/forgotten", check=False).returncode == 2
    assert bookworm.known_hosts.read_text() == pinned


def test_a_host_that_ended_is_started_again(hosts: dict[str, LabHost], inventory: Path) -> None:
    bookworm = hosts["bookworm"]
    bookworm.run("sudo touch /var/kept && sudo systemctl poweroff", check=False)
    bookworm.disconnect()
    subprocess.run(["timeout", "20", "sh", "-c", f"while {processes_of(BOOKWORM)}; do sleep 0.1; done"], check=True)
    bring_up([BOOKWORM], inventory, fresh=False)
    assert bookworm.run("ls /var/kept").stdout == "/var/kept\n"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([HostSpec("exo_t15", "trixie", "198.18.65.115")], "a name has at most 12 lowercase letters"),
        ([HostSpec("exo-t15", "trixie", "198.18.66.115")], "one of .2 to .254 of 198.18.65.0/24"),
        ([HostSpec("exo-t15", "trixie", "198.18.65.1")], "one of .2 to .254 of 198.18.65.0/24"),
        ([TRIXIE, HostSpec("exo-t15", "trixie", TRIXIE.address)], "both are given once"),
        ([HostSpec("exo-t15", "wheezy", "198.18.65.115")], "value of suite must be one of: bookworm, trixie"),
    ],
)
def test_a_host_that_cannot_be_is_refused(wrong: list[HostSpec], message: str, inventory: Path) -> None:
    refused = lab(wrong, inventory)
    assert refused.rc != 0
    assert message in " ".join(refused.stdout.split())


def test_an_unknown_variable_is_refused(inventory: Path) -> None:
    refused = lab(SPECS, inventory, brigde="exolab1")
    assert refused.rc != 0
    assert "unknown variable lab_host_brigde (did you mean lab_host_bridge?)" in " ".join(refused.stdout.split())


def test_nothing_is_left_of_a_removed_host(hosts: dict[str, LabHost], inventory: Path) -> None:
    trixie = hosts["trixie"]
    removed = lab([TRIXIE], inventory, state="absent")
    assert (removed.rc, removed.changed) == (0, 2), removed.stdout  # the host and the inventory
    assert TRIXIE.name not in Path("/proc/mounts").read_text()
    assert TRIXIE.name not in subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
    assert subprocess.run(["sh", "-c", processes_of(TRIXIE)], check=False).returncode == 1
    assert not list(Path("/sys/fs/cgroup").glob(f"**/exotel-lab/{TRIXIE.name}"))
    assert not trixie.known_hosts.parent.exists()
    assert not inventory.exists()
    assert hosts["bookworm"].run("true").returncode == 0

    again = lab([TRIXIE], inventory, state="absent")
    assert (again.rc, again.changed) == (0, 0), again.stdout


def processes_of(spec: HostSpec) -> str:
    """Return a shell condition that is true while processes of this lab host run."""
    return f"grep -qs 'populated 1' $(find /sys/fs/cgroup -path '*/exotel-lab/{spec.name}/cgroup.events')"
