"""``verify`` of a host behind an edge: by wss with its certificate checked, and what the edge refuses."""

import json
from collections.abc import Iterator

import pytest

from tests.lab.labhost import HostSpec, LabHost, Play, bring_up, play, take_down
from tests.lab.test_edge import PLAIN, UPGRADE, answer

SPEC = HostSpec("exo-t45", "trixie", "198.18.65.145")
NAME = "voice.example.com"
KEY = "KEY:a-key-of-the-labs-verify-0123456789"
OLD_KEY = "OLD:an-old-key-of-the-labs-verify-012345"
NEW_KEY = "NEW:a-new-key-of-the-labs-verify-0123456"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    inventory = tmp_path_factory.mktemp(SPEC.name) / "hosts.yml"
    [host] = bring_up([SPEC], inventory)
    yield host
    host.disconnect()
    take_down([SPEC], inventory)


def run(playbook: str, host: LabHost, **more: object) -> Play:
    settings = {
        "exotel_ws_edge": True,
        "edge_certificate": "self_signed",
        "edge_domain": [NAME],
        "exotel_ws_credentials": [OLD_KEY, KEY],
        "verify_host": host.address,  # the name leads nowhere
        **more,
    }
    return play(playbook, "-e", json.dumps(settings), inventory=host.inventory)


def test_a_deploy_proves_a_call_by_wss_and_what_is_refused(host: LabHost) -> None:
    done = run("deploy.yml", host)
    assert done.rc == 0, done.stdout
    for line in (
        f"so does this machine, by https://{NAME}, in ",
        "its certificate is trusted because the host itself told it: no public CA vouches for it",
        "a call of 2 s at 8000 Hz came back bit-exact",
        "a call without a key is refused: 401",
        "a call with a wrong key is refused: 401",
        "/metrics is not shown to this machine: 404",
        "tcp:8765 is closed to this machine: nobody gets past the edge",
        f"wss://USER:TOKEN@{NAME}?sample-rate=8000",
    ):
        assert line in done.stdout, done.stdout
    assert [key for key in (OLD_KEY, KEY) if key.partition(":")[2] in done.stdout] == []


def test_a_certificate_that_only_the_host_vouches_for_is_not_taken_for_a_public_one(host: LabHost) -> None:
    done = run("playbooks/verify.yml", host, edge_certificate="acme", edge_acme_terms_agreed=True)
    assert done.rc != 0
    assert f"the certificate of {NAME} does not hold: it is self-signed, which Exotel does not take" in done.stdout


@pytest.mark.parametrize("playbook", ["playbooks/verify.yml", "playbooks/restart.yml", "playbooks/doctor.yml"])
def test_an_inventory_that_does_not_know_the_edge_is_told_and_the_edge_is_called(host: LabHost, playbook: str) -> None:
    unknown = {"exotel_ws_credentials": [KEY], "exotel_ws_public_host": host.address}
    done = play(playbook, "-e", json.dumps(unknown), inventory=host.inventory)
    assert f"the inventory says exotel_ws_edge: false, but this host has an edge, wss://{NAME}, and" in done.stdout, done.stdout
    if playbook.endswith("doctor.yml"):
        assert f"wss://{NAME}?sample-rate=8000: the name does not resolve" in " ".join(done.stdout.split()), done.stdout
    else:
        assert done.rc == 0, done.stdout
        assert f"so does this machine, by https://{NAME}, in " in done.stdout


def test_an_edge_that_lets_strangers_in_is_told(host: LabHost) -> None:
    config, reload = "/etc/exotel-edge/haproxy.cfg", "sudo systemctl reload haproxy"
    refusal = "^ *http-request return .* if upgrade key_missing$"
    host.run(f"sudo cp {config} /root/before && sudo sed -i '/{refusal}/d' {config} && {reload}")
    try:
        done = run("playbooks/verify.yml", host)
    finally:
        host.run(f"sudo cp /root/before {config} && {reload}")
    assert done.rc != 0
    assert "a call without a key gets HTTP 101, not 401" in done.stdout, done.stdout


def test_a_call_without_a_key_that_may_come_in_the_start_message_is_refused_there(host: LabHost) -> None:
    done = run("deploy.yml", host, edge_key_in_start=True)
    assert done.rc == 0, done.stdout
    assert "a call without a key is refused at its start: " in done.stdout, done.stdout
    assert "a call with a wrong key is refused: 401" in done.stdout


def test_a_key_of_both_gets_a_call_where_a_deploy_failed_between_edge_and_server(host: LabHost) -> None:
    host.run("sudo systemd-run --unit another-deploy flock /run/exotel-ws-deploy/lock sleep 300")
    try:
        done = run("deploy.yml", host, exotel_ws_credentials=[KEY])
    finally:
        host.run("sudo systemctl stop another-deploy")
    assert done.rc != 0
    listed = "sudo grep -c . /etc/exotel-edge/keys/basic.lst /etc/exotel-ws/current/credentials/stream-credentials"
    assert [line.partition(":")[2] for line in host.run(listed).stdout.split()] == ["2", "2"], "one there, twice spelt; two here"
    done = run("playbooks/verify.yml", host)
    assert done.rc == 0, done.stdout
    assert "a call of 2 s at 8000 Hz came back bit-exact" in done.stdout


def test_a_rollback_keeps_the_keys_of_today_at_edge_and_server(host: LabHost) -> None:
    """Go back to before a key was added, past its deploy and that by which the others were retired."""
    limit = "sudo grep max_calls /etc/exotel-ws/current/settings.toml"
    before = host.run(limit).stdout
    for keys in ([KEY, NEW_KEY], [NEW_KEY]):
        done = run("deploy.yml", host, exotel_ws_max_calls=77, exotel_ws_credentials=keys)
        assert done.rc == 0, done.stdout
    assert host.run(limit).stdout != before
    done = run("playbooks/rollback.yml", host)
    assert done.rc == 0, done.stdout
    assert host.run(limit).stdout == before
    assert "a call of 2 s at 8000 Hz came back bit-exact" in done.stdout
    assert "dropped" not in done.stdout
    for key in (OLD_KEY, KEY):
        assert answer(host, f"/ -u{key} {UPGRADE}") == "401"
        on_loopback = host.run(f"exotelctl call ws://{key}@127.0.0.1:{PLAIN}", check=False)
        assert "401" in on_loopback.stdout + on_loopback.stderr
        lines = host.run("sudo exotelctl logs --event refused -n 1 --json").stdout.splitlines()
        assert json.loads(lines[-1])["fields"]["DETAIL"] == "retired"
