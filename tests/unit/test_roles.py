"""Rules for every role: its variables are documented, its tasks are named, and it needs nothing but this repository."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.exotel.voicebot.plugins.plugin_utils.variable_names import SHARED

ROOT = Path(__file__).parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted([*ROOT.glob("*.yml"), *ROOT.glob("playbooks/*.yml")])
BLOCK_KEYS = ("block", "rescue", "always")
COLLECTIONS = ("ansible.builtin.", "exotel.voicebot.")

each_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def load(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


def specs(role: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(role / "meta/argument_specs.yml")["argument_specs"]
    return found


def defaults(role: Path) -> dict[str, Any]:
    file = role / "defaults/main.yml"
    return load(file) or {} if file.exists() else {}


def flat(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield every task, a block before its tasks."""
    for task in tasks:
        yield task
        for key in BLOCK_KEYS:
            yield from flat(task.get(key) or [])


def tasks(role: Path) -> list[tuple[Path, dict[str, Any]]]:
    files = [*role.glob("tasks/**/*.yml"), *role.glob("handlers/**/*.yml")]
    return [(file, task) for file in files for task in flat(load(file) or [])]


def plays() -> list[dict[str, Any]]:
    return [play for file in PLAYBOOKS for play in load(file) or [] if isinstance(play, dict) and "hosts" in play]


@each_role
def test_options_are_the_defaults(role: Path) -> None:
    documented = {name for spec in specs(role).values() for name in spec.get("options", {})}
    assert documented == set(defaults(role))


@each_role
def test_documented_defaults_are_the_defaults(role: Path) -> None:
    for entry_point, spec in specs(role).items():
        documented = {name: option["default"] for name, option in spec.get("options", {}).items() if "default" in option}
        actual = {name: value for name, value in defaults(role).items() if name in documented}
        assert documented == actual, entry_point


@each_role
def test_every_entry_point_exists_and_is_described(role: Path) -> None:
    for entry_point, spec in specs(role).items():
        assert (role / "tasks" / f"{entry_point}.yml").is_file(), entry_point
        assert spec["short_description"]


def test_every_entry_point_that_a_playbook_uses_has_a_spec() -> None:
    uses = [
        task[action]
        for play in plays()
        for section in ("pre_tasks", "tasks", "post_tasks")
        for task in flat(play.get(section) or [])
        for action in ("ansible.builtin.import_role", "ansible.builtin.include_role")
        if action in task
    ]
    assert uses
    for use in uses:
        assert use.get("tasks_from", "main") in specs(ROOT / "roles" / use["name"].removeprefix("exotel.voicebot.")), use


@each_role
def test_every_task_has_a_name(role: Path) -> None:
    assert [str(file) for file, task in tasks(role) if not task.get("name")] == []


@each_role
def test_only_builtin_and_own_modules(role: Path) -> None:
    for file, task in tasks(role):
        actions = [key for key in task if "." in key]
        if any(key in task for key in BLOCK_KEYS):
            assert actions == [], f"{file}: {task['name']}"
        else:
            assert len(actions) == 1, f"{file}: {task['name']}: {actions or 'no fully qualified module'}"
            assert actions[0].startswith(COLLECTIONS), f"{file}: {task['name']}"


@each_role
def test_nothing_floats(role: Path) -> None:
    texts = {file: file.read_bytes() for file in role.rglob("*") if file.is_file()}
    assert [str(file) for file, text in texts.items() if b":latest" in text] == []


def test_preflight_knows_the_variables_of_every_deployed_role() -> None:
    known = {f"exotel.voicebot.{role}" for role in load(ROOT / "roles/preflight/vars/main/variables.yml")["_preflight_roles"]}
    assert set(role_names(load(ROOT / "playbooks/deploy.yml"))) <= known


def role_names(part: object) -> Iterator[str]:
    """Yield the name of every role that a YAML document uses, whether in a play or by a task."""
    if isinstance(part, list):
        for one in part:
            yield from role_names(one)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key in ("role", "ansible.builtin.import_role", "ansible.builtin.include_role"):
                yield value if key == "role" else value["name"]
            else:
                yield from role_names(value)


def test_roles_are_named_in_full() -> None:
    """Roles are named in full, because a built collection has no folder of roles beside its playbooks."""
    files = [*PLAYBOOKS, *ROOT.glob("roles/*/tasks/**/*.yml"), *ROOT.glob("roles/*/meta/main.yml")]
    names = {name for file in files for name in role_names(load(file))}
    assert names
    assert {name for name in names if not name.startswith("exotel.voicebot.")} == set()
    assert {name.removeprefix("exotel.voicebot.") for name in names} <= {role.name for role in ROLES}


def delegates(tasks_of_file: object) -> Iterator[tuple[str, str]]:
    """Yield every task of a YAML document that runs elsewhere than on its host, with the place."""
    if isinstance(tasks_of_file, list):
        for one in tasks_of_file:
            yield from delegates(one)
    elif isinstance(tasks_of_file, dict):
        if "delegate_to" in tasks_of_file or "local_action" in tasks_of_file or "ansible.builtin.local_action" in tasks_of_file:
            yield str(tasks_of_file.get("name")), str(tasks_of_file.get("delegate_to", "localhost"))
        for value in tasks_of_file.values():
            yield from delegates(value)


def test_nothing_is_delegated_to_the_controller() -> None:
    """No task is delegated to the controller: variables for all hosts would apply there, and ``-e`` overrides a task's own.

    Work on the controller is an action that makes no connection: exotel.voicebot.controller_command, or OnController.
    """
    files = [*PLAYBOOKS, *ROOT.glob("roles/*/tasks/**/*.yml"), *ROOT.glob("roles/*/handlers/**/*.yml")]
    found = [where for file in files for where in delegates(load(file))]
    assert found == [("host | Wait until Ansible can log in", "{{ gcp_vm_name }}")]


def test_a_play_on_the_controller_needs_no_connection_or_has_a_local_one_of_its_own() -> None:
    """A play on the controller needs no connection, or sets a local one: lab.yml makes hosts as root, others ask Google."""
    here = {play["name"]: play for play in plays() if "localhost" in str(play["hosts"])}
    assert sorted(here) == ["Lab", "Make a VM with a static address"]
    assert here["Lab"]["connection"] == "local"
    assert here["Lab"]["vars"] == {
        "ansible_become": False,
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }
    asked = {action for _, task in tasks(ROOT / "roles/gcp_vm") for action in task if "." in action}
    assert asked - {"exotel.voicebot.gcp_vm", "ansible.builtin.wait_for_connection"} <= {
        f"ansible.builtin.{action}" for action in ("add_host", "assert", "debug", "import_tasks")
    }


def test_every_verb_has_its_hosts_from_one_place() -> None:
    """Every verb begins with targets.yml, which also stops a verb without an inventory with the line to type."""
    [first] = load(ROOT / "playbooks/targets.yml")
    assert "lookup('exotel.voicebot.targets'" in first["hosts"]
    assert (first["any_errors_fatal"], first["tags"]) == (True, "always")
    assert {play["hosts"] for play in plays() if play != first} == {"exotel_ws", "exotel_ws_going_back", "localhost"}
    for file in ROOT.glob("playbooks/*.yml"):
        hosts = [play.get("hosts", play.get("ansible.builtin.import_playbook")) for play in load(file)]
        if "exotel_ws" in hosts:
            assert hosts[0] == "targets.yml", file


def test_the_playbooks_at_the_root_are_those_of_the_folder() -> None:
    for file in (path for path in ROOT.glob("*.yml") if path.name not in ("galaxy.yml", "requirements.yml")):
        [only] = load(file)
        assert only["ansible.builtin.import_playbook"] == f"playbooks/{file.name}"


def test_every_playbook_that_is_named_with_its_command_is_there() -> None:
    folders = ("docs", "inventory", "playbooks", "plugins", "roles", "server", "tools")
    files = [ROOT / "README.md", *(file for folder in folders for file in (ROOT / folder).rglob("*"))]
    texts = {file: file.read_text() for file in files if file.suffix in (".md", ".py", ".yml", ".j2", ".sh") and file.is_file()}
    named = {(file, name) for file, text in texts.items() for name in re.findall(r"ansible-playbook\s+([\w/]+\.yml)", text)}
    assert {"deploy.yml", "playbooks/status.yml"} <= {name for _, name in named}
    assert [(str(file), name) for file, name in named if not (ROOT / name).is_file()] == []


def test_what_changes_hosts_looks_at_all_of_them_first() -> None:
    """A verb that changes hosts looks at all first: one that is away is named before any other is touched."""
    for name in ("deploy", "rollback", "reset", "restart", "uninstall"):
        of_hosts = load(ROOT / f"playbooks/{name}.yml")
        [first] = [number for number, play in enumerate(of_hosts) if "serial" in play]
        looked = [
            play
            for play in of_hosts[:first]
            if "preflight" in str(play.get("roles", "")) or "reach" in str(play.get("tasks", ""))
        ]
        assert looked, name
        assert all(play["any_errors_fatal"] and "serial" not in play for play in looked), name
        assert of_hosts[first]["any_errors_fatal"], name


def test_the_example_inventory_shows_every_variable_with_its_default() -> None:
    text = (ROOT / "inventory/example/group_vars/all.yml").read_text()
    assignments = [line[2:] for line in text.splitlines() if re.match(r"# [a-z_]+: ", line)]
    settable: dict[str, Any] = dict.fromkeys(SHARED, "")
    for role in ("edge", "exotel_ws", "gcp_firewall", "preflight", "verify"):
        settable |= {name: value for name, value in defaults(ROOT / "roles" / role).items() if "{{" not in str(value)}
    del settable["exotel_ws_generation"], settable["gcp_firewall_required"]  # For one playbook, not for an inventory.
    assert yaml.safe_load("\n".join(assignments)) == settable
