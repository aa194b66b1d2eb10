"""The names that somebody typed with -e: all of them, and none of a file's."""

import pytest
from ansible.errors import AnsibleError
from ansible_collections.exotel.voicebot.plugins.lookup.typed_vars import LookupModule, names


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
def test_names(typed: list[str], found: list[str]) -> None:
    assert names(typed) == found


def test_it_takes_no_terms() -> None:
    with pytest.raises(AnsibleError, match="no terms"):
        LookupModule().run(["call"])
