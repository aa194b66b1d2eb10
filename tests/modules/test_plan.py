"""Steps of a deploy in each situation, as tables: facts in, steps out."""

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import HostFacts, plan_serving
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import UnitState

from tests.modules.hosts import ACTIVE, DRAINING, FAILED, UNITS, content, generation, host, keyed

NEW = generation("g9", content("r9"), served=False)
CHECKED = [
    "stage g9",
    "check config g9",
    "self test g9",
    "link g9-1 g9-2",
    "verify units exotel-ws.socket exotel-ws@.service exotel-ws-shutdown.service",
]
STARTED = ["start g9-1 g9-2", "await healthy g9-1 g9-2"]
ENABLED = "enable exotel-ws@g9-1.service exotel-ws@g9-2.service"
OLD_ENDS = ["disable exotel-ws@g1-1.service exotel-ws@g1-2.service", "begin stop g1-1 g1-2"]


def steps(facts: HostFacts, wanted: object = NEW, keep: int = 5) -> list[str]:
    return [str(step) for step in plan_serving(facts, wanted, keep).steps]  # type: ignore[arg-type]


def test_a_first_deploy_opens_the_socket_before_it_starts_anything() -> None:
    assert steps(HostFacts()) == [
        *CHECKED,
        "install units exotel-ws.socket exotel-ws@.service exotel-ws-shutdown.service",
        "point g9-1",
        "start socket",
        *STARTED,
        "enable exotel-ws.socket exotel-ws-shutdown.service exotel-ws@g9-1.service exotel-ws@g9-2.service",
        "switch g9",
    ]


def test_a_new_release_starts_beside_the_old_one_and_then_takes_over() -> None:
    assert steps(host(generation("g1"))) == [*CHECKED, *STARTED, "point g9-1", ENABLED, "switch g9", *OLD_ENDS]


def test_changed_units_are_installed_but_the_socket_is_not_restarted() -> None:
    units = {**UNITS, "exotel-ws.socket": "another backlog"}
    wanted = generation("g9", content("r9", units=units), served=False)
    assert steps(host(generation("g1")), wanted) == [
        *CHECKED,
        "install units exotel-ws.socket",
        *STARTED,
        "point g9-1",
        ENABLED,
        "switch g9",
        *OLD_ENDS,
    ]


def test_workers_of_before_get_a_unit_file_of_their_own_before_the_shared_one_changes() -> None:
    units = {**UNITS, "exotel-ws@.service": "other credentials"}
    wanted = generation("g9", content("r9", units=units), served=False)
    planned = steps(host(generation("g1"), unpinned=frozenset({"g1-1", "g1-2"})), wanted)
    assert planned.index("link g1-1 g1-2") < planned.index("install units exotel-ws@.service")


def test_another_port_is_taken_after_a_proof_on_the_old_one() -> None:
    units = {**UNITS, "exotel-ws.socket": "9000", "exotel-ws@.service": "more"}
    wanted = generation("g9", content("r9", units=units, listen="0.0.0.0:9000"), served=False)
    assert steps(host(generation("g1")), wanted) == [
        *CHECKED,
        "link g9-0",
        "install units exotel-ws@.service",
        "start g9-0",
        "await healthy g9-0",
        "begin stop g9-0",
        "await address free 0.0.0.0:9000",
        "point g9-1",
        "install units exotel-ws.socket",
        "restart socket",
        *STARTED,
        ENABLED,
        "switch g9",
        *OLD_ENDS,
    ]


def test_another_address_on_the_same_port_needs_the_old_listener_gone() -> None:
    wanted = generation("g9", content("r9", listen="[::]:8765"), served=False)
    planned = steps(host(generation("g1")), wanted)
    at = planned.index("begin stop g9-0")
    assert planned[at + 1 : at + 4] == ["begin stop g1-1 g1-2", "stop socket", "await address free [::]:8765"]


def test_a_lost_socket_comes_back_with_a_new_generation_of_the_same_content() -> None:
    again = generation("g9", served=False)
    facts = host(generation("g1"), socket=UnitState())
    assert plan_serving(facts, again, 5).reason == "exotel-ws.socket is not active although instances run"
    assert steps(facts, again) == [
        *CHECKED,
        "begin stop g1-1 g1-2",
        "await address free 0.0.0.0:8765",
        "point g9-1",
        "start socket",
        *STARTED,
        ENABLED,
        "switch g9",
        *OLD_ENDS,
    ]


SAME = generation("g9", served=False)
REPAIRS = [
    ("nothing to do", {}, []),
    ("others drain", {"instances": {"g0-1": DRAINING}}, []),
    ("a worker is dead", {"instances": {"g1-2": UnitState()}}, ["start g1-2", "await healthy g1-2"]),
    ("a worker failed", {"instances": {"g1-2": FAILED}}, ["start g1-2", "await healthy g1-2"]),
    (
        "all is stopped",
        {"instances": {"g1-1": UnitState(), "g1-2": UnitState()}, "socket": UnitState()},
        ["start socket", "start g1-1 g1-2", "await healthy g1-1 g1-2"],
    ),
    ("a unit was edited", {"units": {**UNITS, "exotel-ws@.service": "edited"}}, ["install units exotel-ws@.service"]),
    ("the drop-in is gone", {"point": None}, ["point g1-1"]),
    ("a link is gone", {"links": frozenset({"g1-1"})}, ["link g1-2"]),
    ("a worker's own unit file was edited", {"unpinned": frozenset({"g1-2"})}, ["link g1-2"]),
    (
        "not enabled",
        {"enabled": frozenset({"exotel-ws.socket", "exotel-ws-shutdown.service", "exotel-ws@g1-1.service"})},
        ["enable exotel-ws@g1-2.service"],
    ),
    ("a stray runs beside it", {"instances": {"g0-1": ACTIVE}}, ["begin stop g0-1"]),
    ("a failed one lies about", {"instances": {"g0-1": FAILED}}, ["forget failure g0-1"]),
]


@pytest.mark.parametrize(("facts", "expected"), [case[1:] for case in REPAIRS], ids=[case[0] for case in REPAIRS])
def test_what_serves_already_is_repaired_at_most(facts: dict[str, object], expected: list[str]) -> None:
    on_host = host(generation("g1"), **facts)  # type: ignore[arg-type]
    planned = plan_serving(on_host, SAME, 5)
    assert planned.generation.id == "g1"
    assert [str(step) for step in planned.steps] == expected


REPLACED = [
    ("release", {}, content("r2"), "changed: release"),
    ("settings", {}, content(settings="other"), "changed: settings"),
    ("workers", {}, content(workers=3), "changed: workers"),
    ("unit", {}, content(units={**UNITS, "exotel-ws@.service": "x"}), "changed: exotel-ws@.service"),
    ("file", {}, content(files={"flow.yml": "x"}), "changed: flow.yml"),
    ("a credential", {}, content(credentials={"stream-credentials": "KEY:another\n"}), "changed: credentials"),
    ("stopping", {"instances": {"g1-1": DRAINING}}, content(), "somebody is stopping g1-1"),
]


@pytest.mark.parametrize(("facts", "wanted", "reason"), [case[1:] for case in REPLACED], ids=[case[0] for case in REPLACED])
def test_why_a_new_generation_is_made(facts: dict[str, object], wanted: object, reason: str) -> None:
    on_host = host(generation("g1"), **facts)  # type: ignore[arg-type]
    planned = plan_serving(on_host, generation("g9", wanted, served=False), 5)  # type: ignore[arg-type]
    assert (planned.generation.id, planned.reason) == ("g9", reason)
    assert str(planned.steps[0]) == "stage g9"


def cleaned(facts: HostFacts, keep: int, wanted: object = NEW) -> list[str]:
    return [step for step in steps(facts, wanted, keep) if step.split()[0] in ("unlink", "remove")]


HISTORY = [generation(f"g{number}", content(f"r{number}")) for number in range(1, 6)]
CLEAN_UPS = [
    ("fewer than are kept", 9, {}, []),
    ("the oldest go", 3, {}, ["remove generations g1 g2 g3", "remove releases r1 r2 r3"]),
    ("the one before stays", 1, {}, ["remove generations g1 g2 g3 g4", "remove releases r1 r2 r3 r4"]),
    ("one with calls stays", 2, {"instances": {"g1-1": DRAINING}}, ["remove generations g2 g3 g4", "remove releases r2 r3 r4"]),
    ("links of the ended go", 9, {"links": frozenset({"g1-1", "g5-1", "g5-2"})}, ["unlink g1-1"]),
    ("a release nobody needs goes", 9, {"releases": frozenset({"r1", "r8", "r9"})}, ["remove releases r8"]),
]


@pytest.mark.parametrize(("keep", "facts", "expected"), [case[1:] for case in CLEAN_UPS], ids=[case[0] for case in CLEAN_UPS])
def test_clean_up(keep: int, facts: dict[str, object], expected: list[str]) -> None:
    assert cleaned(host(*HISTORY, **facts), keep) == expected  # type: ignore[arg-type]


def test_the_current_one_stays_even_if_it_is_down_and_the_clock_went_back() -> None:
    down = {"g1-1": UnitState(), "g1-2": UnitState()}
    assert cleaned(host(*HISTORY, current="g1", instances=down), 2) == [
        "unlink g1-1 g1-2",
        "remove generations g2 g3 g4",
        "remove releases r2 r3 r4",
    ]


def test_a_generation_that_never_served_and_does_not_run_goes() -> None:
    left = generation("g0", content("r0"), served=False)
    assert cleaned(host(left, generation("g1")), 5) == ["remove generations g0", "remove releases r0"]


def test_a_release_that_several_generations_share_stays_with_the_last() -> None:
    history = [generation("g1"), generation("g2", content(settings="b")), generation("g3", content(settings="c"))]
    assert cleaned(host(*history), 2) == ["remove generations g1 g2"]


def test_new_keys_do_not_push_out_what_can_be_rolled_back_to() -> None:
    rotated = [generation(f"g{number}", keyed(f"k:{number}", release="r2")) for number in range(2, 6)]
    wanted = generation("g9", keyed("k:9", release="r2"), served=False)
    assert cleaned(host(generation("g1", keyed("k:1")), *rotated), 2, wanted) == ["remove generations g2 g3 g4"]


SHARED = {**UNITS, "exotel-ws@.service": "LoadCredential=stream-credentials:/etc/exotel-ws/credentials/stream-credentials"}


@pytest.mark.parametrize(("keep", "removed"), [(5, []), (2, ["remove shared credentials"])])
def test_the_secrets_that_generations_shared_go_with_the_last_that_loads_them(keep: int, removed: list[str]) -> None:
    history = [generation("g1", content("r1", units=SHARED)), generation("g2", content("r2")), generation("g3", content("r3"))]
    planned = steps(host(*history, shared_credentials=True), keep=keep)
    assert [step for step in planned if "shared" in step] == removed
