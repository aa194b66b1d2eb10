"""A variable of the roles gets its type from any spelling, or is refused by name, without showing a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.plugin_utils import server_settings
from ansible_collections.exotel.voicebot.plugins.plugin_utils.variables import LEAST_TOKEN, RANGES, Fault, faults, settled, specs
from exotel_ws.settings import Auth, check
from hypothesis import given, settings
from hypothesis import strategies as st

ACCOUNT = {"sid": "acmevoice1", "api_key": "k3y", "api_token": "t0ken", "caller_id": "02012345678"}
SECRET = "a-token-of-nobody"


@pytest.mark.parametrize(
    ("name", "written", "meant"),
    [
        ("exotel_ws_port", "8765", 8765),
        ("exotel_ws_port", " 8765 ", 8765),
        ("exotel_ws_port", 8765.0, 8765),
        ("exotel_ws_sample_rate", "16000", 16000),
        ("gcp_firewall_tls", "yes", True),
        ("gcp_firewall_tls", "False", False),
        ("gcp_firewall_tls", 1, True),
        ("exotel_ws_credentials", f"KEY:{SECRET}", [f"KEY:{SECRET}"]),
        ("exotel_ws_credentials", f"KEY:{SECRET}\n", [f"KEY:{SECRET}"]),  # echo … | ansible-vault encrypt_string
        ("exotel_ws_credentials", [f"KEY:{SECRET}\n"], [f"KEY:{SECRET}"]),
        ("exotel_ws_credentials", json.dumps([f"KEY:{SECRET}"]), [f"KEY:{SECRET}"]),
        ("exotel_ws_paths", "/media", ["/media"]),
        ("exotel_ws_paths", "", []),
        ("exotel_ws_paths", '["/media", "/other"]', ["/media", "/other"]),
        ("exotel_ws_allowed_sources", "203.0.113.0/24, 198.51.100.7", ["203.0.113.0/24", "198.51.100.7"]),
        ("exotel_ws_accept", "port, credentials", ["port", "credentials"]),
        ("exotel_ws_accept", "", []),
        ("exotel_ws_allowed_sources", ["203.0.113.0/24,198.51.100.7"], ["203.0.113.0/24", "198.51.100.7"]),
        ("exotel_ws_extras", "deepgram", ["deepgram"]),
        ("gcp_firewall_extra_ports", 8009, ["8009"]),
        ("gcp_firewall_extra_ports", [8009, "9000-9010"], ["8009", "9000-9010"]),
        ("gcp_firewall_target_tags", "bot", ["bot"]),
        ("oncall_ports", "8765,8009", [8765, 8009]),
        ("reset_ports", 8009, [8009]),
        ("exotel_ws_settings", '{"log": {"level": "debug"}}', {"log": {"level": "debug"}}),
        ("exotel_ws_settings", "", {}),
        ("exotel_ws_host", "[::]", "::"),
        ("exotel_ws_public_host", "[2001:db8::1]", "2001:db8::1"),
        ("exotel_ws_public_host", "bot.example.com", "bot.example.com"),
        ("edge_domain", "Voice.example.com., 203.0.113.7", ["voice.example.com", "203.0.113.7"]),
        ("edge_domain", ["[2001:db8::1]", "2001:db8::1"], ["2001:db8::1"]),
        ("edge_known_sources", "203.0.113.0/24,198.51.100.7", ["203.0.113.0/24", "198.51.100.7"]),
        ("edge_acme_email", "ops@example.com", "ops@example.com"),
        ("edge_acme_directory", "https://acme.example.com:14000/dir", "https://acme.example.com:14000/dir"),
        ("edge_port", "8443", 8443),
    ],
)
def test_what_is_meant_is_taken(name: str, written: object, meant: object) -> None:
    assert settled(name, written) == meant
    assert type(settled(name, written)) is type(meant)


@pytest.mark.parametrize(
    ("name", "written", "said"),
    [
        ("exotel_ws_port", "eight", "a whole number from 1 to 65535"),
        ("exotel_ws_port", 0, "a whole number from 1 to 65535"),
        ("exotel_ws_port", "87650", "a whole number from 1 to 65535"),
        ("exotel_ws_port", True, "a whole number"),
        ("exotel_ws_port", 8765.5, "a whole number"),
        ("exotel_ws_port", None, "no value (null)"),
        ("exotel_ws_port", [8765], "a whole number"),
        ("exotel_ws_sample_rate", "8 kHz", "a whole number"),
        ("exotel_ws_sample_rate", 44100, "one of 8000, 16000, 24000"),
        ("exotel_ws_mode", "Echo", "one of echo, ai"),
        ("exotel_ws_mode", True, "in quotes"),
        ("gcp_firewall_tls", "maybe", "true or false"),
        ("exotel_ws_paths", {}, "a list"),
        ("exotel_ws_paths", None, "no value (null)"),
        ("exotel_ws_paths", [["/media"]], "entry 1: it must be a text"),
        ("exotel_ws_paths", "media", "begins with a slash"),
        ("exotel_ws_paths", ["/a b"], "entry 1"),
        ("exotel_ws_paths", ["/a?x=1"], "entry 1"),
        ("exotel_ws_paths", "[/media", "like a list"),
        ("exotel_ws_allowed_sources", "", "an empty text"),
        ("exotel_ws_allowed_sources", "everybody", "an address or a range"),
        ("exotel_ws_accept", "port,door", "one of maintenance, port, credentials, paths"),
        ("exotel_ws_settings", [], "a mapping"),
        ("exotel_ws_settings", "debug", "a mapping"),
        ("exotel_ws_host", "voicebot-1", "an address to listen on"),
        ("exotel_ws_public_host", "ws://bot.example.com", "without ws://"),
        ("exotel_ws_public_host", "bot.example.com:8765", "without ws://"),
        ("exotel_ws_public_host", "bot example", "without ws://"),
        ("edge_domain", "*.example.com", "entry 1: it must be a name or an address alone"),
        ("edge_domain", ["voice.example.com", "wss://voice.example.com"], "entry 2: it must be a name"),
        ("edge_domain", "voice.example.com:443", "without wss://, port"),
        ("edge_domain", "1.2.3", "entry 1"),
        ("edge_domain", [f"{'a' * 64}.example.com"], "entry 1"),
        ("edge_domain", [f"{number}.example.com" for number in range(101)], "101 entries"),
        ("edge_known_sources", "0.0.0.0/0", "nobody would be limited"),
        ("edge_known_sources", "exotel", "an address or a range"),
        ("edge_acme_email", "ops", "an e-mail address"),
        ("edge_acme_directory", "http://acme.example.com/dir", "the https:// URL"),
        ("edge_acme_directory", "https://user@acme.example.com/dir", "the https:// URL"),
        ("edge_certificate", "letsencrypt", "one of acme, self_signed, files"),
        ("edge_bad_keys", 0, "a whole number from 1 to 1000"),
        ("gcp_firewall_extra_ports", "8009-", "a port or a range"),
        ("oncall_ports", ["8765", "all"], "entry 2: it must be a whole number"),
        ("exotel_ws_ai_keys", {"Deepgram": "x"}, "small letters"),
        ("exotel_ws_ai_keys", {"stream-credentials": "x"}, "small letters"),
        ("exotel_ws_ai_keys", {"passthru": "short"}, "passthru is part of a URL"),
        ("exotel_ws_ai_keys", {"passthru": "0123456789abcdef\nwith/a/slash/in/it"}, "passthru is part of a URL"),
        ("exotel_ws_ai_keys", {"deepgram-api-key": ""}, "not empty"),
        ("exotel_ws_account", {"sid": "acme"}, "lacks api_key, api_token, caller_id"),
        ("exotel_ws_account", {**ACCOUNT, "region": "in"}, "it has 'region'"),
        ("exotel_ws_account", {**ACCOUNT, "caller_id": 2012345678}, "put it in quotes"),
        ("exotel_ws_account", {**ACCOUNT, "sid": "../x"}, "sid does not look like one"),
        ("exotel_ws_account", {**ACCOUNT, "api": "http://api.exotel.com"}, "api does not look like one"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(name: str, written: object, said: str) -> None:
    with pytest.raises(Fault, match=f"^{name}") as refused:
        settled(name, written)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        f"KEY:{SECRET}\nOTHER:{SECRET}",
        f"KEY {SECRET}",
        f":{SECRET}",
        f"{SECRET}:",
        f"KEY:{SECRET}:more",
        f"#KEY:{SECRET}",
        f"KEY: {SECRET}",
        f"KEY:{SECRET}\x00",
        f"KEY:{SECRET}é",
        [f"KEY:{SECRET}", f"KEY:{SECRET}"],
        [f"ONE:{SECRET}", f"TWO:{SECRET}"],
        {"KEY": SECRET},
        [{"KEY": SECRET}],
        [[f"KEY:{SECRET}"]],
        [None],
        [""],
        "KEY:short",
        "",
        None,
        True,
    ],
    ids=repr,
)
def test_credentials_that_are_none_are_refused_and_never_shown(written: object) -> None:
    [said] = faults({"exotel_ws_credentials": written})
    assert said.startswith("exotel_ws_credentials: ")
    assert SECRET not in said
    assert "short" not in said


def test_keys_of_providers_are_never_shown() -> None:
    [said] = faults({"exotel_ws_ai_keys": {"deepgram-api-key": [SECRET]}})
    assert SECRET not in said


def test_an_account_is_taken_as_it_is_or_not_at_all() -> None:
    assert settled("exotel_ws_account", ACCOUNT) == ACCOUNT
    assert settled("exotel_ws_account", {}) == {}


@pytest.mark.parametrize("name", ACCOUNT)
def test_an_account_is_never_shown(name: str) -> None:
    [said] = faults({"exotel_ws_account": {**ACCOUNT, name: f"{SECRET} {SECRET}"}})
    assert said.startswith("exotel_ws_account: ")
    assert SECRET not in said


def test_a_private_key_in_place_of_its_file_is_never_shown() -> None:
    [said] = faults({"edge_certificate_key": f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----"})
    assert said.startswith("edge_certificate_key: ")
    assert SECRET not in said
    assert "BEGIN" not in said


def test_every_variable_at_once() -> None:
    said = faults({"exotel_ws_port": "x", "exotel_ws_mode": "y", "unknown": None, "ansible_host": 5})
    assert [sentence.partition(" ")[0] for sentence in said] == ["exotel_ws_mode", "exotel_ws_port"]


def test_every_default_is_what_its_type_says() -> None:
    plain = {name: spec["default"] for name, spec in specs().items() if "default" in spec and "{{" not in str(spec["default"])}
    assert faults(plain) == []
    assert server_settings.faults(plain) == []


def test_ranges_are_of_real_variables() -> None:
    assert RANGES.keys() <= specs().keys()
    for name in RANGES:
        assert "int" in (specs()[name]["type"], specs()[name].get("elements"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"log": {"levle": "debug"}}, "level"),
        ({"limits": {"max_calls": "many"}}, "limits.max_calls"),
        ({"limits": None}, "limits"),
        ({"log": []}, "log"),
        ({"ports": 1}, "ports"),
    ],
)
def test_a_setting_that_the_server_refuses_is_told_by_the_variable_that_says_it(more: dict[str, Any], said: str) -> None:
    [told] = server_settings.faults({"exotel_ws_settings": more})
    assert told.startswith("exotel_ws_settings: ")
    assert said in told


@pytest.mark.parametrize(
    ("values", "setting", "variable"),
    [
        ({"exotel_ws_settings": {"mode": "ai"}}, 'mode is "ai"', 'exotel_ws_mode is "echo"'),
        ({"exotel_ws_mode": "ai", "exotel_ws_settings": {"mode": "echo"}}, 'mode is "echo"', 'exotel_ws_mode is "ai"'),
        ({"exotel_ws_settings": {"port": 9000}}, "port is 9000", "exotel_ws_port is 8765"),
        ({"exotel_ws_settings": {"host": "127.0.0.1"}}, 'host is "127.0.0.1"', 'exotel_ws_host is "0.0.0.0"'),
    ],
)
def test_a_setting_that_contradicts_the_variable_of_the_deploy_is_refused(
    values: dict[str, Any], setting: str, variable: str
) -> None:
    [told] = server_settings.faults(values)
    name = variable.partition(" ")[0]
    assert told.startswith(f"exotel_ws_settings: {setting}, but {variable}")
    assert told.endswith(f"set {name}, and delete {setting.partition(' ')[0]} from exotel_ws_settings")


def test_a_setting_may_repeat_its_variable_and_set_what_no_deploy_goes_by() -> None:
    repeated = {"exotel_ws_port": "9000", "exotel_ws_settings": {"port": 9000, "mode": "echo", "engine": "websockets"}}
    assert server_settings.faults(repeated) == []


def test_a_number_that_ansible_has_tagged_is_a_number() -> None:
    class Tagged(float):
        """Number as ansible-core wraps one of an inventory."""

    assert server_settings.faults({"exotel_ws_settings": {"drain": {"grace_s": Tagged(0.1)}}}) == []


def test_who_may_read_metrics_and_which_proxies_are_none_of_the_callers() -> None:
    table = server_settings.settings(
        {"exotel_ws_metrics_sources": "192.0.2.9", "exotel_ws_proxies": ["10.0.0.0/8"], "exotel_ws_open_metrics": "yes"}
    )
    assert (table["metrics_sources"], table["limits"]["proxies"], table["open_metrics"]) == (["192.0.2.9"], ["10.0.0.0/8"], True)
    assert "open_metrics" not in server_settings.settings({})


def test_the_least_length_of_a_token_is_the_servers() -> None:
    assert Auth().least_length == LEAST_TOKEN
    values = {"exotel_ws_credentials": "KEY:ten-letter", "exotel_ws_settings": {"auth": {"least_length": 16}}}
    assert faults(values) == []
    [said] = server_settings.faults(values)
    assert said.startswith("exotel_ws_credentials: entry 1: its token has fewer than 16")


def test_the_settings_of_the_example() -> None:
    table = server_settings.settings(
        {"exotel_ws_credentials": f"KEY:{SECRET}", "exotel_ws_port": "9000", "exotel_ws_settings": {"limits": {"max_calls": 7}}},
        "ws://203.0.113.10:9000",
    )
    assert (table["port"], table["auth"], table["limits"]) == (9000, {"required": True}, {"max_calls": 7})
    assert table["public_url"] == "ws://203.0.113.10:9000"
    assert "ai" not in table
    talking = server_settings.settings({"exotel_ws_mode": "ai", "exotel_ws_ai_flow": "files/flow.yml", "exotel_ws_ai": "{}"})
    assert talking["ai"] == {"flow": "files/flow.yml"}


def test_the_files_of_bots_lie_beside_the_settings() -> None:
    bots: dict[str, dict[str, Any]] = {
        "sales": {"flow": "files/s.yml", "prompt": "/srv/s.txt", "paths": ["/sales"]},
        "plain": {"voice": "meera"},
    }
    values = {"exotel_ws_mode": "ai", "exotel_ws_ai": {"bots": bots}}
    table = server_settings.settings(values)["ai"]["bots"]
    own = {"flow": "files/bot-sales-flow.yml", "prompt": "files/bot-sales-prompt.txt"}
    assert table == {"sales": {**bots["sales"], **own}, "plain": bots["plain"]}
    assert bots["sales"]["flow"] == "files/s.yml", "what an inventory says is left as it is"
    assert server_settings.settings({**values, "exotel_ws_ai": {"bots": ["sales"]}})["ai"] == {"bots": ["sales"]}


SCALARS = st.none() | st.booleans() | st.integers(-10, 70_000) | st.floats(allow_nan=False) | st.text(max_size=12)
WRITTEN = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)
LIKELY = st.sampled_from(
    ["8765", "true", "echo", "ai", "/media", f"KEY:{SECRET}", "", [], {}, ["/a"], "10.0.0.0/8", "{}", "[]", {"log": {}}, "::"]
)
OF_THE_SERVER = sorted(
    name for name, spec in specs().items() if name.startswith("exotel_ws_") and "{{" not in str(spec.get("default"))
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(OF_THE_SERVER), WRITTEN | LIKELY, min_size=1, max_size=4))
def test_whatever_an_inventory_says_is_usable_or_refused_by_name(values: dict[str, Any]) -> None:
    said = faults(values)
    for sentence in said:
        assert sentence.partition(" ")[0].rstrip(":") in values
        assert sentence.isprintable()
    if said:
        return
    refused = server_settings.faults(values)
    assert all(sentence.partition(" ")[0].rstrip(":") in specs() for sentence in refused)
    if not refused:
        check(server_settings.settings(values, "ws://203.0.113.10:8765"))
