"""Credentials and request targets."""

import base64
import time
from pathlib import Path

import pytest
from exotel_ws.handshake import Credentials, Target, malformed
from exotel_ws.settings import Auth, SettingsError

CREDENTIALS = Credentials(["user:tok=en+/==", "bare"])


@pytest.mark.parametrize(
    ("raw", "path", "query"),
    [
        ("/", "/", {}),
        ("", "/", {}),
        ("?a=1", "/", {"a": "1"}),
        ("/?sample-rate=8000", "/", {"sample-rate": "8000"}),
        ("/a%2Fb?x=%20y&x=z&empty=", "/a/b", {"x": "z", "empty": ""}),
        ("/a?b?c=d", "/a", {"b?c": "d"}),
        ("//[x", "//[x", {}),
        ("//host/path", "//host/path", {}),
        ("/%zz?%zz=%zz", "/%zz", {"%zz": "%zz"}),
        ("/a?&&=&;", "/a", {"": "", ";": ""}),
        ("/\udcff?\udcfe=1", "/\udcff", {"\udcfe": "1"}),
    ],
)
def test_target(raw: str, path: str, query: dict[str, str]) -> None:
    assert Target.parse(raw) == (path, query)


@pytest.mark.parametrize("shown", ["user:tok=en+/==", "tok=en+/==", "bare"])
def test_accepts(shown: str) -> None:
    assert CREDENTIALS.accepts(shown)


@pytest.mark.parametrize("shown", ["", ":", "user", "user:", "USER:tok=en+/==", "tok=en+/=", "user:bare", "bare ", "\udcff"])
def test_does_not_accept(shown: str) -> None:
    assert not CREDENTIALS.accepts(shown)


def basic(text: str | bytes) -> str:
    return "Basic " + base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.mark.parametrize(
    ("header", "verdict"),
    [
        (None, False),
        (basic("user:tok=en+/=="), True),
        (basic("user:tok=en+/==").replace("Basic", "bAsIc"), True),
        (basic("bare"), True),
        (basic("user:tok=en+/==").replace(" ", "  ") + " ", True),
        (basic("user:tok=en+/==").rstrip("="), True),
        ("Bearer bare", True),
        ("Bearer  bare ", True),
        (basic("user:wrong"), False),
        (basic(b"\xff\xfe"), False),
        ("Basic", False),
        ("Basic bare", False),
        ("Basic \udcff", False),
        ("Digest bare", False),
        ("", False),
    ],
)
def test_in_header(header: str | None, verdict: bool | None) -> None:
    assert bool(CREDENTIALS.in_header({} if header is None else {"Authorization": header})) is verdict


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        ("/bare", True),
        ("/x/bare/y", True),
        ("/?a=bare", True),
        ("/tok%3Den%2B%2F%3D%3D", True),
        ("/user:tok=en+/==", True),
        ("/?token=tok=en+/==", True),
        ("/?token=tok%3Den%2B%2F%3D%3D", True),
        ("/?bare", False),
        ("/xbare", False),
        ("/", False),
    ],
)
def test_in_target(target: str, verdict: bool) -> None:
    assert bool(CREDENTIALS.in_target(Target.parse(target))) is verdict


@pytest.mark.parametrize(
    ("parameters", "verdict"),
    [
        ({"token": "tok%3Den%2B%2F%3D%3D"}, True),
        ({"token": "user%3Atok%3Den%2B%2F%3D%3D"}, True),
        ({"a": "1%20", "b": "2%20", "token": "tok%3Den%2B%2F%3D%3D"}, True),
        ({"tok%3Den%2B%2F%3D%3D": ""}, True),
        ({"token%3Dtok%253Den%252B%252F%253D%253D": ""}, True),
        ({"token": "tok=en+/=="}, True),
        ({"user": "tok=en+/=="}, True),
        ({"token:tok=en+/===": ""}, True),
        ({"token=tok=en+/==": ""}, True),
        ({"rate=8000&token=bare": ""}, True),
        ({"?token:bare=": ""}, True),
        ({"bare": ""}, True),
        ({"a": "b=bare"}, True),
        ({}, False),
        ({"": ""}, False),
        ({"token": ""}, False),
        ({"token": "bar"}, False),
        ({"token=barex": ""}, False),
    ],
)
def test_in_parameters(parameters: dict[str, str], verdict: bool) -> None:
    assert bool(CREDENTIALS.in_parameters(parameters)) is verdict


@pytest.mark.parametrize("parameters", [{"a&" * 100_000: ""}, {str(number): "" for number in range(20_000)}])
def test_a_stranger_cannot_make_it_think_for_long(parameters: dict[str, str]) -> None:
    began = time.process_time()
    assert not CREDENTIALS.in_parameters(parameters)
    assert time.process_time() - began < 1, "it took 2.1 s before the number of candidates was bounded"


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}, ""),
        ({"Sec-WebSocket-Version": "8", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}, "Version"),
        ({"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}, "Version"),
        ({"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAA"}, "16 bytes"),
        ({"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "not base64!"}, "16 bytes"),
    ],
)
def test_malformed(headers: dict[str, str], says: str) -> None:
    fault = malformed(headers)
    assert says in fault
    assert bool(fault) == bool(says)


def test_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("# comment\n  # another\n\n  user:token  \nbare\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    loaded = Credentials.load(Auth(required=True, credential="secret"))
    assert loaded is not None
    assert [loaded.accepts(shown) for shown in ("user:token", "token", "bare", "# comment", "")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    absolute = Credentials.load(Auth(required=True, credential=str(tmp_path / "secret")))
    assert absolute is not None
    assert absolute.accepts("token")


def test_none_is_loaded_where_none_is_required() -> None:
    assert Credentials.load(Auth(credential="/nowhere")) is None


@pytest.mark.parametrize(
    ("content", "words"), [(None, "can't be read"), (b"# none\n\n", "holds no credential"), (b"\xff", "not UTF-8")]
)
def test_load_says_what_is_wrong(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=words) as error:
        Credentials.load(Auth(required=True, credential=str(path)))
    assert str(error.value).startswith(f"auth.credential: {path} ")
