"""Stream keys of a rollback, as a table: those that serve now stay, whatever the generation had that it goes back to."""

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.consequences import consequences, of_returning_keys
from ansible_collections.exotel.voicebot.plugins.module_utils.generation import Content
from ansible_collections.exotel.voicebot.plugins.module_utils.generation_keys import back_to

from tests.modules.hosts import UNITS, content, keyed

TODAY = keyed("new:2", release="r2", credentials={"deepgram": "today"})
SHARED = {**UNITS, "exotel-ws@.service": "LoadCredential={0}:/etc/exotel-ws/credentials/{0}\n".format("stream-credentials")}
OWN = {
    **UNITS,
    "exotel-ws@.service": "LoadCredential={0}:/etc/exotel-ws/instances/%i/credentials/{0}\n".format("stream-credentials"),
}
CASES = [
    ("an added and a retired key", keyed("old:1"), TODAY, keyed("new:2")),
    (
        "other secrets go back",
        keyed("old:1", credentials={"deepgram": "of then"}),
        TODAY,
        keyed("new:2", credentials={"deepgram": "of then"}),
    ),
    ("the name of its credential", keyed("old:1", credential="callers"), TODAY, keyed("new:2", credential="callers")),
    ("no key asked for then", content(), TODAY, content()),
    ("no key asked for now", keyed("old:1"), content("r2"), keyed("old:1")),
    ("secrets that generations shared", keyed(units=SHARED, credentials={}), TODAY, keyed("new:2", units=OWN)),
]


@pytest.mark.parametrize(("target", "serving", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_serves_after_a_rollback(target: Content, serving: Content, expected: Content) -> None:
    assert back_to(target, serving) == expected


def test_callers_of_today_lose_nothing() -> None:
    assert consequences(TODAY, back_to(keyed("old:1", "older:0"), TODAY)) == ()
    assert of_returning_keys(TODAY, keyed("new:2")) == ()


def test_keys_that_come_back_are_told() -> None:
    [came] = of_returning_keys(content(), keyed("old:1", "older:0"))
    assert (came.text, came.consent) == (
        "the 2 stream keys of that generation come back: one that was retired since is good again",
        "",
    )
    assert of_returning_keys(keyed("old:1"), content()) == of_returning_keys(content(), content("r2")) == ()
    assert of_returning_keys(None, keyed("old:1")) == ()
