"""Consequences of a deploy for callers, as a table: two contents in, sentences and the consent they need out."""

from typing import Any

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils import redaction, toml
from ansible_collections.exotel.voicebot.plugins.module_utils.consequences import (
    consequences,
    missing,
    of_maintenance,
    require_consent,
)
from ansible_collections.exotel.voicebot.plugins.module_utils.generation import Content
from ansible_collections.exotel.voicebot.plugins.module_utils.maintenance import Maintenance
from ansible_collections.exotel.voicebot.plugins.module_utils.plan import Refused


def content(*credentials: str, listen: str = "0.0.0.0:8765", **settings: Any) -> Content:
    texts = {"stream-credentials": "".join(f"{line}\n" for line in credentials)} if credentials else {}
    settings = {"mode": "echo", "auth": {"required": bool(credentials)}, **settings}
    return Content("r1", toml.dumps(settings), {}, 2, listen, credentials=texts)


CASES = [
    ("nothing", content(), content(), []),
    ("another setting", content(), content(limits={"max_calls": 5}), []),
    (
        "port",
        content(),
        content(listen="0.0.0.0:9000"),
        [("the port moves from 8765 to 9000: calls to 8765 are refused, the applet has to dial 9000", "port")],
    ),
    (
        "inwards",
        content(),
        content(listen="127.0.0.1:8765"),
        [
            (
                "calls are taken on 127.0.0.1 instead of every IPv4 address of the host: calls to any other address are refused",
                "port",
            )
        ],
    ),
    (
        "behind an edge",
        content(public_url="ws://198.51.100.7:8765"),
        content(listen="127.0.0.1:8765", public_url="wss://voice.example.com/pA7h-s3cret"),
        [
            (
                "calls come by wss:// through the edge: calls by ws:// to 8765 are refused, the applet has to dial "
                f"wss://voice.example.com/{redaction.HIDDEN}",
                "port",
            )
        ],
    ),
    (
        "a port behind the edge",
        content(listen="127.0.0.1:8765", public_url="wss://voice.example.com"),
        content(listen="127.0.0.1:9000", public_url="wss://voice.example.com"),
        [("the server moves from 8765 to 9000 behind the edge, which follows", "")],
    ),
    (
        "the edge goes",
        content(listen="127.0.0.1:8765", public_url="wss://voice.example.com"),
        content(public_url="ws://198.51.100.7:8765"),
        [
            (
                "calls are taken on every IPv4 address of the host instead of 127.0.0.1: calls by wss:// are refused, the applet "
                "has to dial ws:// and 8765",
                "port",
            )
        ],
    ),
    (
        "outwards",
        content(listen="127.0.0.1:8765"),
        content(),
        [("calls are taken on every IPv4 address of the host instead of 127.0.0.1", "port")],
    ),
    (
        "IPv6",
        content(listen="[::]:8765"),
        content(listen="[::1]:8766"),
        [
            ("the port moves from 8765 to 8766: calls to 8765 are refused, the applet has to dial 8766", "port"),
            ("calls are taken on ::1 instead of every address of the host: calls to any other address are refused", "port"),
        ],
    ),
    (
        "credentials dropped",
        content("a:1"),
        content(),
        [("streams need no credential any more: whoever reaches the port can open one", "credentials")],
    ),
    (
        "credentials asked for",
        content(),
        content("a:1"),
        [("streams without a credential are refused: the applet's URL has to hold one", "")],
    ),
    ("a credential added", content("a:1"), content("a:1", "b:2"), []),
    (
        "a credential rotated",
        content("a:1", "b:2"),
        content("a:9", "b:2"),
        [("1 credential is dropped: calls that show one of those are refused", "")],
    ),
    ("paths opened", content(paths=["/voice"]), content(paths=[]), [("every path is served, not only /voice", "paths")]),
    (
        "paths asked for",
        content(),
        content(paths=["/voice", "/bot"]),
        [("only /voice, /bot is served: calls to any other path are refused", "")],
    ),
    (
        "a path dropped",
        content(paths=["/voice", "/bot"]),
        content(paths=["/bot"]),
        [("/voice is served no more: calls to it are refused", "")],
    ),
    (
        "to the echo",
        content(mode="ai"),
        content(),
        [("the mode changes from ai to echo: callers hear themselves instead of the bot", "")],
    ),
    (
        "metrics for all",
        content(),
        content(open_metrics=True),
        [("/metrics and /ready answer everybody who reaches the port", "")],
    ),
    ("to the bot", content(), content(mode="ai"), [("the mode changes from echo to ai: callers talk to the bot", "")]),
]


@pytest.mark.parametrize(("before", "after", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_changes_for_callers(before: Content, after: Content, expected: list[tuple[str, str]]) -> None:
    assert [(one.text, one.consent) for one in consequences(before, after)] == expected


def test_a_first_deploy_changes_nothing_for_anybody() -> None:
    assert consequences(None, content("a:1", listen="0.0.0.0:1")) == ()


def test_settings_that_cannot_be_read_keep_nobody_from_mending_them() -> None:
    broken = Content("r1", "mode = ", {}, 2, "0.0.0.0:8765")
    assert consequences(broken, content()) == ()


def test_what_opens_a_door_or_moves_the_port_needs_consent_to_each() -> None:
    found = consequences(content("a:1"), content(listen="0.0.0.0:9000"))
    assert missing(found, []) == ["port", "credentials"]
    with pytest.raises(Refused, match=r"(?s)- the port moves .*- streams need no .*-e exotel_ws_accept=port,credentials$"):
        require_consent(found, ["port"])
    require_consent(found, ["credentials", "port"])


def test_no_secret_is_told() -> None:
    found = consequences(content("a:a-secret-token", "b:2", paths=["/a-secret-token1"]), content("b:2"))
    assert "secret" not in repr(found)


def test_a_misspelt_consent_is_named() -> None:
    with pytest.raises(Refused, match="no consent 'ports': exotel_ws_accept takes maintenance, port, credentials, paths"):
        require_consent((), ["ports"])


def test_bringing_a_host_back_from_a_maintenance_needs_consent() -> None:
    found = of_maintenance(Maintenance("2026-11-28T20:00:00Z", "me", "disk swap"))
    with pytest.raises(Refused, match=r"in maintenance since .*, by me: disk swap; it takes calls again\n.*accept=maintenance$"):
        require_consent(found, [])
    assert of_maintenance(None) == ()
