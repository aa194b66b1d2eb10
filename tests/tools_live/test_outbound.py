"""`exotelctl dial` against a server that answers as Exotel's API is documented to."""

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from exotelctl.outbound import connect
from exotelctl.outbound.account import load

from tests.tools_live.exotel_api import PLACED, SID, ExotelApi, Reply, serving

ACCOUNT = {"sid": "acmevoice1", "api_key": "k3y", "api_token": "t0ken-of-the-account", "caller_id": "02012345678"}
NUMBER = "+919876543210"
XML = f"<?xml version='1.0'?><TwilioResponse><Call><Sid>{SID}</Sid><Status>queued</Status></Call></TwilioResponse>"
Dial = Callable[..., "subprocess.CompletedProcess[str]"]


def written(directory: Path, text: str) -> Path:
    file = directory / "account.json"
    file.write_text(text)
    return file


@pytest.fixture
def dial(tmp_path: Path) -> Dial:
    """Return a function that dials as a user does, by an API; None: by an address where nothing listens."""

    def dial(api: ExotelApi | None, *options: str, account: object = ACCOUNT) -> "subprocess.CompletedProcess[str]":
        api_url = api.url if api else "http://127.0.0.1:9"
        told = json.dumps({**account, "api": api_url}) if isinstance(account, dict) else str(account)
        file = written(tmp_path, told)
        settings = tmp_path / "settings.toml"
        settings.write_text('public_url = "wss://voice.example.com"\n[auth]\nrequired = true\n')
        keys = tmp_path / "credentials"
        keys.mkdir(exist_ok=True)
        (keys / "stream-credentials").write_text("old:0123456789abcdef\nnew:fedcba9876543210\n")
        command = [sys.executable, "-m", "exotelctl", "dial", "--account", str(file), "--settings", str(settings), *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)

    return dial


def test_exotel_is_asked_once_to_call_and_to_stream_to_this_host(dial: Dial) -> None:
    with serving() as api:
        done = dial(api, "--to", "+91 98765-43210", "--bot", "reminder", "--limit", "90", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert SID in done.stdout
    [asked] = api.asked
    assert (asked.method, asked.path) == ("POST", "/v1/Accounts/acmevoice1/Calls/connect")
    assert asked.authorization == "Basic " + base64.b64encode(b"k3y:t0ken-of-the-account").decode()
    stream = urlsplit(asked.form.pop("StreamUrl"))
    assert (stream.scheme, stream.username, stream.password) == ("wss", "new", "fedcba9876543210")
    assert (stream.hostname, parse_qs(stream.query)) == ("voice.example.com", {"bot": ["reminder"], "direction": ["outbound"]})
    assert asked.form == {"From": NUMBER, "CallerId": "02012345678", "StreamType": "bidirectional", "TimeLimit": "90"}
    assert "fedcba" not in done.stdout + done.stderr


def test_a_stream_elsewhere_with_its_key_from_a_file(dial: Dial, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("bot:secret-of-the-stream\n")
    options = ["--to", NUMBER, "--stream", "wss://bot.example.com/in?sample-rate=16000", "--credential-file", str(key), "--yes"]
    with serving() as api:
        assert dial(api, *options).returncode == 0
    stream = api.asked[0].form["StreamUrl"]
    assert stream == "wss://bot:secret-of-the-stream@bot.example.com/in?sample-rate=16000&direction=outbound"


def test_nobody_is_called_without_consent(dial: Dial) -> None:
    with serving() as api:
        for options in ([], ["--json"]):
            done = dial(api, "--to", NUMBER, *options)
            assert (done.returncode, api.asked) == (3, [])
            assert "--yes" in done.stderr


@pytest.mark.parametrize("last", ["completed", "busy", "no-answer", "failed"])
def test_followed_to_its_end(dial: Dial, last: str) -> None:
    with serving(Reply(), Reply(body=PLACED.replace("in-progress", last))) as api:
        done = dial(api, "--to", NUMBER, "--follow", "30", "--yes", "--json")
    assert json.loads(done.stdout) == {"call_sid": SID, "status": last, "over": True}
    assert done.returncode == (0 if last == "completed" else 1)
    assert [(asked.method, asked.path.rpartition("/")[2]) for asked in api.asked] == [("POST", "connect"), ("GET", SID)]


@pytest.mark.parametrize("reply", [Reply(429, "{}"), Reply(401, "{}"), Reply(200, "<html>")], ids=["429", "401", "a web page"])
def test_a_call_that_was_placed_is_told_whatever_comes_of_questions_about_it(dial: Dial, reply: Reply) -> None:
    with serving(Reply(), reply) as api:
        done = dial(api, "--to", NUMBER, "--follow", "5", "--yes", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"call_sid": SID, "status": "in-progress", "over": False})
    assert "did not say what became of the call" in done.stderr
    assert [asked.method for asked in api.asked] == ["POST", "GET"]


REFUSALS = {
    "wrong keys": (Reply(401, '{"RestException": {"Status": 401, "Message": "Authentication failed"}}'), "Authentication failed"),
    "no such account": (Reply(404, ""), "Compare sid"),
    "no money": (
        Reply(402, "<TwilioResponse><RestException><Message>No balance</Message></RestException></TwilioResponse>"),
        "balance",
    ),
    "a number that may not be called": (Reply(403, "{}"), "trial account"),
    "too many": (Reply(429, "{}", {"Retry-After": "7"}), "ask again in 7 s"),
    "a bad parameter": (Reply(400, '{"message": "Bad or missing parameters"}'), "Bad or missing parameters"),
}


@pytest.mark.parametrize(("reply", "says"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_says_why_and_what_to_do(dial: Dial, reply: Reply, says: str) -> None:
    with serving(reply) as api:
        done = dial(api, "--to", NUMBER, "--yes")
    assert (done.returncode, len(api.asked)) == (1, 1)
    assert says in done.stdout
    assert "t0ken" not in done.stdout + done.stderr


UNCLEAR = {
    "a web page": Reply(200, "<!DOCTYPE html><html><body>Welcome</body></html>"),
    "nothing": Reply(200, ""),
    "another JSON": Reply(200, '{"ok": true}'),
    "a sid that is none": Reply(200, '{"Call": {"Sid": "../../x\\u001b[31m", "Status": "queued"}}'),
    "entities": Reply(200, '<!DOCTYPE x [<!ENTITY a "aaaa">]><TwilioResponse><Call><Sid>&a;</Sid></Call></TwilioResponse>'),
    "a deep JSON": Reply(200, "[" * 100_000),
    "a fault of theirs": Reply(503, "busy"),
}


@pytest.mark.parametrize("reply", UNCLEAR.values(), ids=UNCLEAR)
def test_an_answer_that_names_no_call_is_told_as_unclear_and_not_asked_again(dial: Dial, reply: Reply) -> None:
    with serving(reply) as api:
        done = dial(api, "--to", NUMBER, "--yes", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["unclear"], len(api.asked)) == (1, True, 1)
    assert "\x1b" not in done.stdout


def test_no_answer_in_time_may_have_rung(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(connect, "ASK_S", 0.2)
    with serving(Reply(late=True)) as api:
        file = written(tmp_path, json.dumps({**ACCOUNT, "api": api.url}))
        with pytest.raises(connect.Refused, match="It may ring all the same") as refused:
            asyncio.run(connect.place(load(file), connect.Order(NUMBER, "wss://voice.example.com")))
    assert (refused.value.unclear, len(api.asked)) == (True, 1)


def test_where_nothing_listens_nobody_was_called(dial: Dial) -> None:
    done = dial(None, "--to", NUMBER, "--yes", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["unclear"]) == (1, False)


def test_xml_is_read_as_well(dial: Dial) -> None:
    with serving(Reply(200, XML)) as api:
        done = dial(api, "--to", NUMBER, "--yes", "--json")
    assert json.loads(done.stdout) == {"call_sid": SID, "status": "queued", "over": False}


WRONG = {
    "no number": (["--to", "call me"], "is no number"),
    "too long a call": (["--to", NUMBER, "--limit", "20000"], "1 to 14400 s"),
    "no stream": (["--to", NUMBER, "--stream", "ftp://x"], "not a scheme"),
    "too long a stream": (["--to", NUMBER, "--stream", f"wss://voice.example.com/{'x' * 600}"], "Exotel takes 600"),
    "too many parameters": (["--to", NUMBER, "--stream", "wss://voice.example.com?a=1&b=2&c=3"], "passes on 3 parameters"),
}


@pytest.mark.parametrize(("options", "says"), WRONG.values(), ids=WRONG)
def test_wrong_usage_asks_nobody(dial: Dial, options: list[str], says: str) -> None:
    with serving() as api:
        done = dial(api, *options, "--yes")
    assert (done.returncode, api.asked) == (2, [])
    assert says in " ".join(done.stderr.split())


ACCOUNTS: dict[str, tuple[object, str]] = {
    "a key that is missing": ({name: value for name, value in ACCOUNT.items() if name != "api_key"}, "api_key"),
    "an unknown key": ({**ACCOUNT, "region": "in"}, "region"),
    "no JSON": ("sid: acmevoice1", "malformed"),
    "a path in the sid": ({**ACCOUNT, "sid": "../x"}, "sid"),
    "a line break in the token": ({**ACCOUNT, "api_token": "t0ken\nX-Other: 1"}, "api_token"),
}


@pytest.mark.parametrize(("account", "says"), ACCOUNTS.values(), ids=ACCOUNTS)
def test_an_account_that_cannot_be_used_says_what_is_wrong_with_it(dial: Dial, account: object, says: str) -> None:
    with serving() as api:
        done = dial(api, "--to", NUMBER, "--yes", account=account)
    assert (done.returncode, api.asked) == (2, [])
    assert says in done.stderr
    assert "t0ken" not in done.stderr


def test_keys_go_to_no_api_in_the_clear(tmp_path: Path) -> None:
    file = written(tmp_path, json.dumps({**ACCOUNT, "api": "http://api.example.com"}))
    command = [sys.executable, "-m", "exotelctl", "dial", "--account", str(file), "--to", NUMBER, "--stream", "wss://a", "--yes"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "in the clear" in " ".join(done.stderr.split())
