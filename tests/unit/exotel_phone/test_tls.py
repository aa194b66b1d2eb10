"""Certificates that do not hold: each fault is found by a real handshake and told with a cure of its own."""

import asyncio
import dataclasses
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from exotel_phone import tls
from exotel_phone.exits import UsageFault
from exotel_phone.http_request import get
from exotel_phone.reach import Fault, Unreachable
from exotel_phone.target import parse

NAME = "voice.example.com"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def openssl(*arguments: str, given: str = "") -> str:
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, text=True, timeout=30, check=True).stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a CA, a certificate of it, one for an address, and one that is self-signed, by name."""
    folder = tmp_path_factory.mktemp("tls")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

    def certificate(name: str, *arguments: str) -> None:
        place = ("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt"))
        openssl("req", "-x509", *new_key, *place, "-days", "30", *arguments)
        (folder / f"{name}.pem").write_text((folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text())

    certificate("ca", "-subj", "/CN=A CA of our own", "-addext", "keyUsage=critical,keyCertSign")
    issued = ("-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key"), "-addext", "basicConstraints=critical,CA:FALSE")
    certificate("issued", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1", *issued)
    certificate("other", "-subj", "/CN=other", "-addext", "subjectAltName=DNS:other.example.com", *issued)
    certificate("alone", "-subj", f"/CN={NAME}", "-addext", "subjectAltName=IP:127.0.0.1")
    return folder


@asynccontextmanager
async def serving(pem: Path | None) -> AsyncIterator[int]:
    """Yield the port of a server that answers every request, by TLS with this certificate if there is one."""
    context = None
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(ANSWER)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def asked(host: str, pem: Path | None, ca_file: Path | None) -> Fault | str:
    """Return the answer of a server with this certificate, called by this name, or why there was none."""
    async with serving(pem) as port:
        target = dataclasses.replace(parse(f"wss://{host}:{port}", ca_file=ca_file), addresses=("127.0.0.1",))
        try:
            return (await get(target, "/health", timeout_s=10)).body
        except Unreachable as error:
            return error.fault


@pytest.mark.parametrize("host", [NAME, "127.0.0.1"])
@pytest.mark.parametrize(("server", "trusted"), [("issued", "ca"), ("issued", "issued")])
def test_a_certificate_holds_by_its_ca_or_by_itself(made: Path, host: str, server: str, trusted: str) -> None:
    assert asyncio.run(asked(host, made / f"{server}.pem", made / f"{trusted}.crt")) == "ok"


def test_a_self_signed_certificate_holds_if_it_is_trusted_and_has_the_name(made: Path) -> None:
    assert asyncio.run(asked("127.0.0.1", made / "alone.pem", made / "alone.crt")) == "ok"


@pytest.mark.parametrize(
    ("host", "server", "trusted", "kind", "says"),
    [
        (NAME, "issued", None, "tls-issuer", "its issuer is not known: the chain is incomplete"),
        (NAME, "issued", "alone", "tls-issuer", "its issuer is not known"),
        ("127.0.0.1", "alone", None, "tls-issuer", "it is self-signed"),
        (NAME, "other", "ca", "tls-name", f"it is for another name than {NAME}"),
        ("127.0.0.1", "other", "ca", "tls-name", "it is for another name than 127.0.0.1"),
        (NAME, None, None, "tls-plain", "answers, but not in TLS"),
    ],
)
def test_a_certificate_that_does_not_hold(
    made: Path, host: str, server: str | None, trusted: str | None, kind: str, says: str
) -> None:
    fault = asyncio.run(asked(host, made / f"{server}.pem" if server else None, made / f"{trusted}.crt" if trusted else None))
    assert isinstance(fault, Fault)
    assert (fault.kind, says in fault.cause) == (kind, True), fault
    assert fault.next


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version (_ssl.c:992)", "tls-version"),
        ("[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol (_ssl.c:992)", "tls-version"),
        ("[SSL: RECORD_LAYER_FAILURE] record layer failure (_ssl.c:1029)", "tls-plain"),
        ("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure (_ssl.c:992)", "tls"),
    ],
)
def test_what_openssl_says_of_a_handshake(said: str, kind: str) -> None:
    found, cause, then = tls.fault(ssl.SSLError(1, said), NAME, NAME, 443)
    assert (found, NAME in cause, bool(then)) == (kind, True, True)
    assert ("ws://" in then) is (kind == "tls-plain")


@pytest.mark.parametrize(
    ("code", "kind", "cure"),
    [
        (10, "tls-expired", "renew it"),
        (9, "tls-not-yet-valid", "date -u"),
        (19, "tls-issuer", "--ca-file"),
        (7, "tls", "openssl s_client -connect '[2001:db8::1]:8443'"),
    ],
)
def test_each_code_of_a_certificate(code: int, kind: str, cure: str) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    found, cause, then = tls.fault(error, "[2001:db8::1]:8443", "2001:db8::1", 8443)
    assert (found, cure in then) == (kind, True), then
    assert "[2001:db8::1]:8443" in cause


def test_a_file_of_cas_that_is_of_no_use_is_a_fault_of_the_usage(tmp_path: Path, made: Path) -> None:
    for file, says in ((tmp_path / "none.pem", "No such file"), (made / "ca.key", "no certificate as PEM"), (made, "directory")):
        with pytest.raises(UsageFault, match=says) as refused:
            parse(f"wss://{NAME}", ca_file=file)
        assert str(refused.value).startswith(f"--ca-file {file}: ")


def test_a_file_of_cas_is_no_use_without_tls(made: Path) -> None:
    with pytest.raises(UsageFault, match="use wss://"):
        parse("ws://key:hush@127.0.0.1:8765", ca_file=made / "ca.crt")
