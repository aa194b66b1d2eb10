"""Certificates read with openssl and by real handshakes: what is served, what is in the file, what OpenSSL says of it."""

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from exotelctl.edge import certificate
from exotelctl.edge.certificate import SELF_SIGNED, Unreadable

NAME = "voice.example.com"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine start openssl."""
    monkeypatch.setattr(certificate, "_TIMEOUT_S", 60.0)


def openssl(*arguments: str, cwd: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=cwd, capture_output=True, check=True, timeout=30)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an authority of two steps and a certificate of it, besides a self-signed one."""
    at = tmp_path_factory.mktemp("certificates")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for name in ("root", "self"):
        openssl(
            "req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "9", "-subj", f"/CN={name}", cwd=at
        )
    (at / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\n")
    (at / "leaf.ext").write_text(f"subjectAltName=DNS:{NAME},IP:192.0.2.1\n")
    for name, issuer, extension in (("mid", "root", "ca.ext"), ("leaf", "mid", "leaf.ext")):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}", cwd=at)
        signed = ("-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial", "-days", "5", "-extfile", extension)
        openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem", cwd=at)
    texts = {name: (at / name).read_text() for name in ("leaf.pem", "mid.pem", "leaf.key", "self.pem", "self.key")}
    (at / "whole.pem").write_text(texts["leaf.pem"] + texts["mid.pem"] + texts["leaf.key"])
    (at / "alone.pem").write_text(texts["leaf.key"] + texts["leaf.pem"])
    (at / "own.pem").write_text(texts["self.pem"] + texts["self.key"])
    return at


@contextlib.contextmanager
def serving(file: Path, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> Iterator[int]:
    """Serve the certificate of ``file`` on a port of loopback, and answer each request with ``answer``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                with contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as tls:
                    tls.settimeout(5)
                    if tls.recv(4096):
                        tls.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def test_a_chain_is_read_and_its_key_is_not(made: Path) -> None:
    leaf, issuer = certificate.in_file(made / "whole.pem")
    assert (leaf.subject, leaf.issuer, leaf.names) == ("CN=leaf", "CN=mid", (NAME, "192.0.2.1"))
    assert (issuer.subject, issuer.names, issuer.self_signed) == ("CN=mid", (), False)
    assert leaf.not_after - leaf.not_before == 5 * 86400
    assert leaf.alarm_s == 5 * 86400 / 3
    assert certificate.breaks([leaf, issuer]) == ""
    assert "CN=mid was issued by CN=root, and CN=leaf follows it" in certificate.breaks([issuer, leaf])


@pytest.mark.parametrize(
    ("file", "code", "subject"),
    [("whole.pem", 20, "CN=leaf"), ("alone.pem", 20, "CN=leaf"), ("own.pem", SELF_SIGNED, "CN=self")],
)
def test_openssls_verdict_on_what_is_served(made: Path, file: str, code: int, subject: str) -> None:
    with serving(made / file) as port:
        seen = certificate.served("127.0.0.1", port, NAME)
    assert (seen.leaf.subject, seen.health, seen.protocol) == (subject, 200, "TLSv1.3")
    assert seen.code in (code, 21)  # an incomplete chain has two codes, by the version of OpenSSL


def test_an_authority_that_is_trusted_is_no_fault(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(made / "root.pem"))
    with serving(made / "whole.pem", b"nonsense") as port:
        seen = certificate.served("127.0.0.1", port, NAME)
    assert (seen.code, seen.said, seen.health) == (0, "ok", 0)


def test_what_speaks_no_tls_is_an_error() -> None:
    def greet() -> None:
        for _ in range(2):
            client, _ = server.accept()
            client.sendall(b"SSH-2.0-x\r\n")
            client.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, daemon=True).start()
        with pytest.raises(ssl.SSLError):
            certificate.served("127.0.0.1", server.getsockname()[1], NAME)


def test_a_file_without_a_certificate_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="No such file"):
        certificate.in_file(tmp_path / "none.pem")
    (tmp_path / "empty.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    with pytest.raises(Unreadable, match="no certificate in it"):
        certificate.in_file(tmp_path / "empty.pem")
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(Unreadable, match="openssl x509"):
        certificate.in_file(tmp_path / "broken.pem")
