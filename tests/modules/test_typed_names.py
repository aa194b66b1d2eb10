"""A playbook with short variables refuses one that it does not know, before it asks any host."""

import pytest

from tests.lab.labhost import play

pytestmark = pytest.mark.slow  # starts ansible-playbook


@pytest.mark.parametrize(
    ("playbook", "typed", "meant"),
    [
        ("playbooks/doctor.yml", "sinc=-2h", "since"),
        ("playbooks/doctor.yml", "oncall_doctor_sinc=-2h", "oncall_doctor_since"),
        ("playbooks/doctor.yml", "gcp_projekt=my-project", "gcp_project"),
        ("playbooks/port_cleanup.yml", "port=8009", "ports"),
        ("playbooks/port_cleanup.yml", "oncall_prots=8009", "oncall_ports"),
        ("playbooks/logs.yml", "cal=x", "call"),
    ],
)
def test_a_misspelt_name_is_refused(playbook: str, typed: str, meant: str) -> None:
    done = play(playbook, "-i", "127.0.0.2,", "-e", "ansible_port=9", "-e", typed, timeout=60)
    assert done.rc != 0
    assert f"unknown variable {typed.partition('=')[0]} (did you mean {meant}?)" in done.stdout
    assert "UNREACHABLE" not in done.stdout


@pytest.mark.parametrize(
    ("playbook", "typed"),
    [
        ("playbooks/doctor.yml", "since=-2h gcp_project= exotel_ws_port=9000"),
        ("playbooks/port_cleanup.yml", "ports=8765,8009"),
        ("playbooks/logs.yml", "call=x since=-1h errors=true oncall_logs_lines=5"),
    ],
)
def test_known_ones_go_on_to_the_hosts(playbook: str, typed: str) -> None:
    done = play(playbook, "-i", "127.0.0.2,", "-e", "ansible_port=9", "-e", typed, timeout=60)
    assert "unknown variable" not in done.stdout
    assert "connect to host 127.0.0.2 port 9" in " ".join(done.stdout.split())


@pytest.mark.parametrize("ports", ["all", "8765,0", "8765,x"])
def test_ports_that_are_none_are_refused_before_a_host_is_asked(ports: str) -> None:
    done = play("playbooks/port_cleanup.yml", "-i", "127.0.0.2,", "-e", "ansible_port=9", "-e", f"ports={ports}", timeout=60)
    assert done.rc != 0
    assert "oncall_ports" in done.stdout  # by the role's argument spec, or by the range of a port
    assert "UNREACHABLE" not in done.stdout
