#!/usr/bin/python
"""Put a generation of the server into service, or go back to an earlier one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: generation
short_description: Put a generation of the Exotel voicebot server into service without cutting a call
description:
  - A generation is a staged release plus its settings, its unit files, its number of workers and its address. It is
    immutable.
  - With O(state=serving) the module makes a generation of what is given unless that is what serves already. The new
    generation is checked, tested, started and proven healthy beside the old one, which shares the listening socket;
    only then it takes over, and the old one is told to finish its calls and end. Several may do so at once.
  - When anything fails before the switch, the new generation is removed again and its journal is returned. The old
    one was never touched.
  - With O(state=rollback) the content of an earlier generation is put into service in the same way, as a new
    generation. It keeps the stream keys that serve now, where both ask for keys, because callers have the key of today; all else,
    other credentials included, is as it was.
  - With O(state=restart) so is the content of the generation that serves.
  - One deploy at a time; the second one is told who holds the lock.
version_added: 0.1.0
author:
  - The exotel-voicebot developers (!UNKNOWN)
options:
  state:
    description: Whether to serve what is given, an earlier generation, or a new one of what serves.
    type: str
    choices: [serving, rollback, restart]
    default: serving
  release:
    description: The staged release to serve.
    type: str
  settings:
    description:
      - The content of C(settings.toml). What is secret in it (parts of URLs, paths, keys of services) is shown in no log, no
        result and no diff. The file can be read by root and O(user) only.
    type: dict
  units:
    description: The text of each unit file by its name.
    type: dict
  workers:
    description: How many instances share the socket.
    type: int
  files:
    description: The text of each further file of the generation by its name. The settings name it as C(files/NAME).
    type: dict
    default: {}
  listen:
    description: The address of the call port, as C(host:port).
    type: str
  generation:
    description:
      - The generation to go back to. Only with O(state=rollback).
      - When empty, it is the one that served before the one that serves now. One that differs in its stream keys only is passed
        over then, and refused by name.
    type: str
    default: ""
  accept:
    description:
      - To which consequences for callers there is consent. V(port), the port or the address to listen on moves;
        V(credentials), none is asked for any more; V(paths), every path is served; V(maintenance), a host that was taken out of
        service takes calls again. Without it such a change is refused.
    type: list
    elements: str
    default: []
  keep:
    description: How many generations to keep on the host. Those with calls, and the last two, stay in any case.
    type: int
    default: 5
  credentials:
    description:
      - The text of each secret of the generation by its name. A unit loads it from C(credentials/NAME) beside the settings.
      - Written into the generation's directory, readable by root only, and removed with it. Never shown.
    type: dict
    default: {}
  user:
    description: The service's user, who runs the self-test.
    type: str
    default: exotel-ws
  requested_by:
    description: Who asks, for the lock and the audit file.
    type: str
    default: unknown
  start_timeout:
    description:
      - Seconds the new instances get to be ready, and the self-test before gets to pass. Above what the
        units allow for a start, so that it is systemd that ends one that hangs.
    type: int
    default: 130
  health_timeout:
    description: Seconds the new instances get to be healthy after that.
    type: int
    default: 30
attributes:
  check_mode:
    description: Gathers facts and returns the plan, and what it lacks consent to. Takes no lock and touches nothing.
    support: full
  diff_mode:
    description: Shows the release, settings and unit files before and after; of credentials only the names, and that they change.
    support: full
seealso:
  - module: exotel.voicebot.release
  - module: exotel.voicebot.generation_info
"""

EXAMPLES = r"""
- name: Serve the staged release
  exotel.voicebot.generation:
    release: 0.1.0-3fa9c1d2e4
    settings: {mode: echo, port: 8765}
    units:
      exotel-ws.socket: "{{ lookup('ansible.builtin.template', 'exotel-ws.socket.j2') }}"
      exotel-ws@.service: "{{ lookup('ansible.builtin.template', 'exotel-ws@.service.j2') }}"
    workers: 2
    listen: 0.0.0.0:8765

- name: Go back to the generation that served before
  exotel.voicebot.generation:
    state: rollback

- name: Start the serving content as a new generation
  exotel.voicebot.generation:
    state: restart
"""

RETURN = r"""
generation:
  description: The generation that serves. In check mode of a change, the name it would have had.
  returned: success
  type: str
  sample: 20261122T101500-ab12cd34
previous:
  description: The generation that served before, if there was one.
  returned: success
  type: str
  sample: 20261121T090000-99aabbcc
release:
  description: The release that serves.
  returned: success
  type: str
  sample: 0.1.0-3fa9c1d2e4
reason:
  description: Why something was done, or that nothing had to be.
  returned: success
  type: str
  sample: "changed: release"
consequences:
  description: What changes for callers, a sentence each.
  returned: success
  type: list
  elements: str
consent:
  description: To what O(accept) lacks the consent. Only in check mode there is any; else the module fails.
  returned: success
  type: list
  elements: str
steps:
  description: What was done, in order; in check mode, what would be.
  returned: success
  type: list
  elements: str
journal:
  description: The last lines of the new instances' journal.
  returned: failure
  type: str
"""

import ipaddress
import os
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import redaction, toml
from ..module_utils.act import act
from ..module_utils.consequences import (
    Consequence,
    consequences,
    missing,
    moves_behind_the_edge,
    of_maintenance,
    of_returning_keys,
    require_consent,
)
from ..module_utils.execute import DeployFailed, Executor, Limits
from ..module_utils.facts import gather
from ..module_utils.generation import Content, Generation, new_generation
from ..module_utils.lock import Locked, deploy_lock
from ..module_utils.paths import Paths
from ..module_utils.plan import HostFacts, Plan, Refused, original, plan_restart, plan_rollback, plan_serving
from ..module_utils.systemd import CommandFailed, Systemd

_CONTENT = ("release", "settings", "units", "workers", "listen")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")
_ACTIONS = {"serving": "deploy", "rollback": "rollback", "restart": "restart"}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["serving", "rollback", "restart"], "default": "serving"},
            "release": {"type": "str"},
            # Keep it out of the host's syslog, where the group adm can read a module's options.
            "settings": {"type": "dict", "no_log": True},
            "units": {"type": "dict", "no_log": True},
            "workers": {"type": "int"},
            "listen": {"type": "str"},
            "files": {"type": "dict", "default": {}, "no_log": True},
            "generation": {"type": "str", "default": ""},
            "accept": {"type": "list", "elements": "str", "default": []},
            "keep": {"type": "int", "default": 5},
            "credentials": {"type": "dict", "default": {}, "no_log": True},
            "user": {"type": "str", "default": "exotel-ws"},
            "requested_by": {"type": "str", "default": "unknown"},
            "start_timeout": {"type": "int", "default": 130},
            "health_timeout": {"type": "int", "default": 30},
        },
        required_if=[("state", "serving", _CONTENT)],
        supports_check_mode=True,
    )
    os.umask(0o022)
    _tell_secrets(module)
    paths, systemd = Paths(), Systemd()
    try:
        if module.check_mode:
            facts = gather(paths, systemd)
            module.exit_json(**_result(module, facts, _plan(module, facts)))
        action = _ACTIONS[module.params["state"]]
        with deploy_lock(paths.lock, f"{action} by {module.params['requested_by']}"):
            facts = gather(paths, systemd)
            plan = _plan(module, facts)
            require_consent(_consequences(module, facts, plan), module.params["accept"])
            if plan.steps:
                _execute(module, paths, systemd, facts, plan, action)
    except DeployFailed as failure:
        module.fail_json(msg=str(failure), journal=failure.journal, invocation=_invocation(module))
    except (CommandFailed, Locked, OSError, Refused, ValueError) as error:
        module.fail_json(msg=str(error), invocation=_invocation(module))
    module.exit_json(**_result(module, facts, plan))


def _tell_secrets(module: AnsibleModule) -> None:
    """Remove only the secrets from the result; no_log alone would blot out every text of the settings, such as "echo"."""
    secrets = redaction.secrets_in(module.params["settings"] or {})
    for text in (module.params.get("credentials") or {}).values():
        secrets += redaction.secrets_of_credentials(text)
    module.no_log_values = set(secrets)


def _invocation(module: AnsibleModule) -> dict[str, Any]:
    """Return the options as -vvv shows them."""
    params = {name: value for name, value in module.params.items() if name != "credentials"}
    shown = {"settings": redaction.redacted(params["settings"] or {}), "files": sorted(params["files"])}
    return {"module_args": {**params, **shown}}


def _plan(module: AnsibleModule, facts: HostFacts) -> Plan:
    params = module.params
    if params["state"] == "rollback":
        plan = plan_rollback(facts, params["generation"] or None, params["requested_by"], time.time(), params["keep"])
        wanted = plan.generation.content
        if facts.serving and moves_behind_the_edge(facts.serving.content, wanted):
            raise Refused(
                f"what served before took calls on {wanted.listen}, where the edge does not lead, and a rollback leaves the edge "
                f"alone. Deploy its release instead, with exotel_ws_port: {wanted.listen.rpartition(':')[2]}"
            )
        return plan
    if params["state"] == "restart":
        return plan_restart(facts, params["requested_by"], time.time())
    if params["workers"] < 1:
        raise Refused(f"workers must be 1 or more, not {params['workers']}")
    if params["release"] not in facts.releases and not module.check_mode:
        raise Refused(f"release {params['release']} is not staged on this host. Staged: {', '.join(facts.releases) or 'none'}")
    _check_listen(params["listen"])
    _check_names({**params["files"], **params["credentials"]})
    content = Content(
        release=params["release"],
        settings=toml.dumps(params["settings"]),
        units=dict(sorted(params["units"].items())),
        workers=params["workers"],
        listen=params["listen"],
        files=dict(sorted(params["files"].items())),
        credentials={name: str(text) for name, text in sorted(params["credentials"].items())},
    )
    copied = original(facts, content)
    return plan_serving(facts, new_generation(content, params["requested_by"], time.time(), copied, facts.key), params["keep"])


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise Refused(f"{name!r} is no name of a file: letters, digits, dots and dashes, at most 81 of them")


def _check_listen(listen: str) -> None:
    host, _, port = listen.rpartition(":")
    try:
        ipaddress.ip_address(host[1:-1] if host.startswith("[") else host)
        if not 0 < int(port) < 65536:
            raise ValueError
    except ValueError:
        raise Refused(f"{listen} is not an IP address of this host and a port, such as 0.0.0.0:8765") from None


def _execute(module: AnsibleModule, paths: Paths, systemd: Systemd, facts: HostFacts, plan: Plan, action: str) -> None:
    limits = Limits(module.params["start_timeout"], module.params["health_timeout"])
    executor = Executor(paths, systemd, facts, module.params["user"], limits)
    done = action if plan.generation.id != facts.current else "repair"
    act(executor, plan, paths, action=done, who=module.params["requested_by"])


def _consequences(module: AnsibleModule, facts: HostFacts, plan: Plan) -> tuple[Consequence, ...]:
    before, after = facts.serving.content if facts.serving else None, plan.generation.content
    returning = of_returning_keys(before, after) if module.params["state"] == "rollback" else ()
    return (*of_maintenance(facts.maintenance), *consequences(before, after), *returning)


def _result(module: AnsibleModule, facts: HostFacts, plan: Plan) -> dict[str, Any]:
    found = _consequences(module, facts, plan)
    result: dict[str, Any] = {
        "changed": bool(plan.steps),
        "generation": plan.generation.id,
        "previous": facts.current,
        "release": plan.generation.content.release,
        "reason": plan.reason,
        "consequences": [one.text for one in found],
        "consent": missing(found, module.params["accept"]),
        "steps": [str(step) for step in plan.steps],
        "invocation": _invocation(module),
    }
    if module._diff:
        result["diff"] = _diff(facts, plan.generation)
    return result


def _diff(facts: HostFacts, after: Generation) -> list[dict[str, str]]:
    old = {**(_texts(facts.serving) if facts.serving else {}), **facts.units}
    secrets = _secrets(facts.serving.content.credentials if facts.serving else {}, after.content.credentials)
    return secrets + [
        {"before_header": name, "after_header": name, **_shown(name, old.get(name, ""), text)}
        for name, text in _texts(after).items()
        if old.get(name, "") != text
    ]


def _shown(name: str, before: str, after: str) -> dict[str, str]:
    """Return both texts without their secrets, for people to see the changes."""
    if name != "settings.toml":
        return {"before": before, "after": after}
    shown = {"before": redaction.redacted_toml(before), "after": redaction.redacted_toml(after)}
    if shown["before"] == shown["after"]:
        shown["after"] += f"# What changes is a secret, shown as {redaction.HIDDEN}.\n"
    return shown


def _texts(generation: Generation) -> dict[str, str]:
    content = generation.content
    summary = f"release: {content.release}\nworkers: {content.workers}\nlisten: {content.listen}\n"
    return {"generation": summary, "settings.toml": content.settings, **content.units, **content.files}


def _secrets(before: Mapping[str, str], after: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the difference of credentials without values: their names, and those that get another value."""
    if before == after:
        return []
    names = [f"{name} (another value)" if before.get(name, text) != text else name for name, text in after.items()]
    header = {"before_header": "credentials", "after_header": "credentials"}
    return [{**header, "before": "".join(f"{name}\n" for name in before), "after": "".join(f"{name}\n" for name in names)}]


if __name__ == "__main__":
    main()
