"""Misspelt names of variables are found, and the right name is suggested."""

import pytest
from ansible import context
from ansible.errors import AnsibleError
from ansible_collections.exotel.voicebot.plugins.lookup.unknown_variables import LookupModule
from ansible_collections.exotel.voicebot.plugins.plugin_utils.variable_names import (
    SHARED,
    SHORT,
    did_you_mean,
    typed_names,
    unknown_of_roles,
    unknown_on_call,
)
from ansible_collections.exotel.voicebot.plugins.plugin_utils.variables import specs_by_role

DEPLOYED = ["edge", "exotel_ws", "gcp_firewall", "preflight", "verify"]


@pytest.mark.parametrize(
    ("unknown", "known", "said"),
    [
        ([], ["exotel_ws_port"], []),
        (
            ["exotel_ws_prot"],
            ["exotel_ws_mode", "exotel_ws_port"],
            ["unknown variable exotel_ws_prot (did you mean exotel_ws_port?)"],
        ),
        (["gcp_zone_of_moon"], ["exotel_ws_port"], ["unknown variable gcp_zone_of_moon"]),
        (
            ["exotel_ws_worker", "gcp_projct"],
            ["gcp_project", "exotel_ws_workers"],
            [
                "unknown variable exotel_ws_worker (did you mean exotel_ws_workers?)",
                "unknown variable gcp_projct (did you mean gcp_project?)",
            ],
        ),
    ],
)
def test_suggestions(unknown: list[str], known: list[str], said: list[str]) -> None:
    assert did_you_mean(unknown, known) == said


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ([], []),
        (["call=abc"], ["call"]),
        (["call=abc since=-1h", "lines=5"], ["call", "lines", "since"]),
        (["since='2026-11-25 10:00' call=a=b"], ["call", "since"]),
        (['{"call": "abc", "event": ["start"]}'], ["call", "event"]),
        (["@secrets.yml", " @more.yml"], []),
        (["cal=abc", "cal=abd"], ["cal"]),
    ],
)
def test_typed_names(typed: list[str], found: list[str]) -> None:
    assert typed_names(typed) == found


@pytest.mark.parametrize(
    "name", ["exotel_ws_port", "verify_host", "gcp_project", "gcp_vm_zone", "preflight_python", "ansible_x", "x"]
)
def test_names_of_the_roles_and_of_others_are_known(name: str) -> None:
    assert unknown_of_roles(DEPLOYED, [name]) == []


@pytest.mark.parametrize(
    ("roles", "name", "meant"),
    [
        (DEPLOYED, "exotel_ws_prot", "exotel_ws_port"),
        (DEPLOYED, "gcp_projct", "gcp_project"),
        (DEPLOYED, "gcp_vm_zoen", "gcp_vm_zone"),
        (["lab_host"], "lab_host_brigde", "lab_host_bridge"),
    ],
)
def test_a_misspelt_name_of_a_role_is_found(roles: list[str], name: str, meant: str) -> None:
    assert unknown_of_roles(roles, ["inventory_hostname", name]) == [f"unknown variable {name} (did you mean {meant}?)"]


def test_names_of_roles_that_are_not_asked_for_are_not_checked() -> None:
    assert unknown_of_roles(["preflight"], ["exotel_ws_prot", "gcp_projct", "reset_yse"]) == []
    assert unknown_of_roles(["lab_host"], ["gcp_projct"]) == []


@pytest.mark.parametrize("entry_point", SHORT)
def test_short_and_long_names_are_known_on_call(entry_point: str) -> None:
    typed = [*SHORT[entry_point], *SHARED, "ansible_port", "exotel_ws_prot", "verify_x", "oncall_ports"]
    assert unknown_on_call(entry_point, ["oncall_logs_call", "gcp_projct", "x"], typed) == []


@pytest.mark.parametrize(
    ("names", "typed", "said"),
    [
        ([], ["cal"], ["unknown variable cal (did you mean call?)"]),
        (["oncall_logs_cal"], ["oncall_logs_cal"], ["unknown variable oncall_logs_cal (did you mean oncall_logs_call?)"]),
        ([], ["gcp_projekt"], ["unknown variable gcp_projekt (did you mean gcp_project?)"]),
        ([], ["ports"], ["unknown variable ports"]),
    ],
)
def test_a_misspelt_name_on_call_is_found_once(names: list[str], typed: list[str], said: list[str]) -> None:
    assert unknown_on_call("logs", names, typed) == said


def test_the_entry_points_with_short_names_are_those_of_the_role() -> None:
    assert {name.split("_")[1] for name in specs_by_role()["oncall"]} == {"doctor", "logs", "ports"}
    assert {f"gcp_{name.removeprefix('oncall_doctor_gcp_')}" for name in specs_by_role()["oncall"] if "_gcp_" in name} == set(
        SHARED
    )


@pytest.mark.parametrize(
    ("terms", "options", "said"),
    [
        ([], {}, "one of both"),
        (["verify"], {"on_call": "logs"}, "one of both"),
        (["exotle_ws"], {}, "there is no role exotle_ws: there are edge, exotel_ws"),
        ([], {"on_call": "log"}, "no entry point log with variables: there are doctor, logs, port_cleanup"),
    ],
)
def test_what_the_lookup_cannot_answer_is_refused(terms: list[str], options: dict[str, str], said: str) -> None:
    with pytest.raises(AnsibleError, match=said):
        LookupModule().run(terms, {}, **options)


def test_the_lookup_reads_the_names_that_were_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "CLIARGS", {"extra_vars": ("cal=x", "@file.yml")})
    lookup = LookupModule()
    assert lookup.run([], {"cal": "x"}, on_call="logs") == ["unknown variable cal (did you mean call?)"]
    assert lookup.run(["exotel_ws"], {"exotel_ws_prot": 1}) == ["unknown variable exotel_ws_prot (did you mean exotel_ws_port?)"]
