"""Commands that several cures have in common."""

from typing import Final

from exotel_phone.command import command, journal

from exotelctl.doctor.result import Remedy

DEPLOY: Final = "ansible-playbook deploy.yml -i INVENTORY"
ROLL_BACK: Final = "ansible-playbook playbooks/rollback.yml -i INVENTORY"
OPEN_CLOUD: Final = "ansible-playbook firewall.yml -i INVENTORY"
FLEET: Final = "ansible-playbook playbooks/status.yml -i INVENTORY"
LOOK_OUTSIDE: Final = "ansible-playbook playbooks/doctor.yml -i INVENTORY"
URL: Final = "exotelctl url"
STATUS: Final = "exotelctl status"
TEST_HERE: Final = "exotelctl protocol-test 'ws://127.0.0.1:8765?sample-rate=8000'"


def deploy(text: str, *look: str) -> Remedy:
    """Return the cure that a deploy is, after a ``look`` at what it cures."""
    return Remedy(text, look, (DEPLOY,))


def lines_of(unit: str) -> str:
    """Return the command that shows the last lines of a unit."""
    return journal("-n", 50, "-u", unit)


def of_last_hour(*matches: str) -> str:
    """Return the command that shows what was logged with all of these fields."""
    return journal(*matches, "--since", "-1h")


def of_edge(*words: str) -> str:
    """Return the command that shows the edge's lines of the last hour with any of these words."""
    return f"{command('exotelctl', 'logs', '--edge', '--since', '-1h')} | {command('grep', '-E', '|'.join(words))}"
