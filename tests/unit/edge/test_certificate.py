"""The program that keeps the edge's certificate: what it makes, what it refuses and how it says so, what HAProxy gets."""

import importlib.util
import json
import socket
import threading
import time
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.edge.authority import Authority, Issued, openssl, rsa

PROGRAM = Path(__file__).parents[3] / "roles/edge/files/certificate"
NAME = "voice.example.com"
DAY = 86400


def load() -> ModuleType:
    loader = SourceFileLoader("edge_certificate", str(PROGRAM))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


program = load()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def leaf(authority: Authority) -> Issued:
    return authority.leaf(f"DNS:{NAME}", "DNS:*.cells.example.com", "IP:203.0.113.7")


class Edge:
    """Folder of an edge, and the program as it is called there."""

    def __init__(self, folder: Path, authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.authority, self.capsys = folder, authority, capsys
        self.out = folder / "certificate.pem"

    def run(self, verb: str, *arguments: str | Path) -> tuple[int, str]:
        """Return the exit code, and what was printed and told."""
        code = program.main([verb, "--roots", str(self.authority.roots), *map(str, arguments)])
        printed = self.capsys.readouterr()
        return code, printed.out + printed.err

    def files(self, chain: str, key: str) -> list[str | Path]:
        (self.folder / "chain.pem").write_text(chain)
        (self.folder / "key.pem").write_text(key)
        return ["--chain", self.folder / "chain.pem", "--key", self.folder / "key.pem"]

    def install(self, chain: str, key: str, *arguments: str | Path) -> tuple[int, str]:
        return self.run("install", *self.files(chain, key), "--out", self.out, *arguments)

    def served(self) -> str:
        """Return the fingerprint of the leaf in the file that HAProxy loads."""
        [leaf, *_] = program.certificates_in(str(self.out))
        return str(leaf.sha256)


@pytest.fixture
def edge(tmp_path: Path, authority: Authority, capsys: pytest.CaptureFixture[str]) -> Edge:
    return Edge(tmp_path, authority, capsys)


# -- self-sign ---------------------------------------------------------------------------------------------------------


def test_a_self_signed_certificate_is_ecdsa_for_all_names_and_only_root_reads_it(edge: Edge) -> None:
    assert edge.run("self-sign", "--out", edge.out, NAME, "203.0.113.7", "2001:db8::1") == (0, "changed\n")
    assert edge.out.stat().st_mode & 0o777 == 0o600
    _, printed = edge.run("check", "--chain", edge.out, "--name", NAME, "--name", "203.0.113.7", "--name", "2001:DB8:0::1")
    facts = json.loads(printed)
    assert (facts["ok"], facts["self_signed"], facts["key"]) == (True, True, "EC 256")
    assert facts["days_left"] > 365
    assert openssl("verify", "-x509_strict", "-CAfile", str(edge.out), str(edge.out)).endswith("OK\n")


def test_a_self_signed_certificate_is_kept_while_it_lasts_and_has_the_names(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    edge.run("self-sign", "--out", edge.out, NAME, "b.example.com")
    first = edge.out.read_text()
    assert edge.run("self-sign", "--out", edge.out, "B.example.com.") == (0, "unchanged\n")
    assert edge.out.read_text() == first
    assert edge.run("self-sign", "--out", edge.out, NAME, "c.example.com") == (0, "changed\n")
    second = edge.out.read_text()
    assert second != first
    later = time.time() + (program.SELF_SIGNED_DAYS - 20) * DAY
    monkeypatch.setattr(program.time, "time", lambda: later)
    assert edge.run("self-sign", "--out", edge.out, NAME)[1] == "changed\n"


def test_the_first_certificate_takes_the_place_of_none_that_haproxy_can_load(edge: Edge, leaf: Issued) -> None:
    edge.out.write_text(leaf.pem + leaf.key)
    assert edge.run("self-sign", "--first", "--out", edge.out, "new.example.com") == (0, "unchanged\n")
    assert edge.run("self-sign", "--out", edge.out, NAME) == (0, "changed\n"), "an authority's is not self-signed"


@pytest.mark.parametrize("broken", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"])
def test_the_first_certificate_takes_the_place_of_one_that_haproxy_cannot_load(edge: Edge, broken: str) -> None:
    edge.out.write_text(broken)
    assert edge.run("self-sign", "--first", "--out", edge.out, NAME) == (0, "changed\n")
    assert edge.run("check", "--chain", edge.out)[0] == 0


@pytest.mark.parametrize(
    "name", ["a b.example.com", "-a.example.com", "", "a,DNS:b", "x" * 254, "a..b", "*", "https://a.example.com"]
)
def test_what_is_no_name_is_refused(edge: Edge, name: str) -> None:
    code, told = edge.run("self-sign", "--out", edge.out, "--", name)
    assert code == 1
    assert "is no name or address" in told
    assert not edge.out.exists()


def test_more_names_than_a_certificate_takes_are_refused(edge: Edge) -> None:
    code, told = edge.run("self-sign", "--out", edge.out, *(f"a{number}.example.com" for number in range(101)))
    assert (code, "101 names are more than the 100" in told) == (1, True)


# -- install -----------------------------------------------------------------------------------------------------------


def test_a_chain_and_its_key_become_one_file_without_blank_lines(edge: Edge, leaf: Issued) -> None:
    with_blanks = "\ufeffSubject: me\r\n\r\n" + (leaf.pem + "\n\n" + edge.authority.intermediate.pem).replace("\n", "\r\n")
    assert edge.install(with_blanks, "\n" + leaf.key + "\n\n", "--name", NAME) == (0, "changed\n")
    text = edge.out.read_text()
    assert "\n\n" not in text
    assert "\r" not in text
    assert [kind for kind, _ in program.PEM.findall(text)] == ["CERTIFICATE", "CERTIFICATE", "PRIVATE KEY"]
    assert edge.out.stat().st_mode & 0o777 == 0o600
    assert edge.install(with_blanks, leaf.key) == (0, "unchanged\n")
    assert sorted(path.name for path in edge.folder.iterdir()) == ["certificate.pem", "chain.pem", "key.pem"]


@pytest.mark.parametrize("name", [NAME, "VOICE.example.com.", "one.cells.example.com", "203.0.113.7"])
def test_names_that_the_certificate_is_for_are_taken(edge: Edge, leaf: Issued, name: str) -> None:
    assert edge.install(leaf.pem + edge.authority.intermediate.pem, leaf.key, "--name", name)[0] == 0


@pytest.mark.parametrize("name", ["example.com", "a.one.cells.example.com", "cells.example.com", "203.0.113.8"])
def test_a_name_that_it_is_not_for_is_told_with_those_it_is_for(edge: Edge, leaf: Issued, name: str) -> None:
    code, told = edge.install(leaf.pem + edge.authority.intermediate.pem, leaf.key, "--name", name)
    assert code == 1
    assert f"is for {NAME}, *.cells.example.com, 203.0.113.7, not for {name}" in told
    assert not edge.out.exists()


def test_an_older_form_of_key_is_taken(edge: Edge, leaf: Issued) -> None:
    old = openssl("ecparam", "-name", "prime256v1") + openssl("ec", given=leaf.key)
    assert "EC PRIVATE KEY" in old
    assert edge.install(leaf.pem + edge.authority.intermediate.pem, old) == (0, "changed\n")


def test_what_is_no_certificate_or_no_key_is_told_by_its_file(edge: Edge, leaf: Issued) -> None:
    cut = leaf.pem[:200] + leaf.pem[260:]
    assert "chain.pem has no certificate" in edge.install("hello", leaf.key)[1]
    assert "certificate 2 of 2 in" in edge.install(leaf.pem + cut, leaf.key)[1]
    assert "key.pem has no private key" in edge.install(leaf.pem, leaf.pem)[1]
    assert "key.pem has 2 private keys" in edge.install(leaf.pem, leaf.key * 2)[1]
    assert "cannot be read: it is cut off" in edge.install(leaf.pem, leaf.key[:60] + leaf.key[90:])[1]
    assert "chain.pem is longer than" in edge.install("x" * 300_000, leaf.key)[1]
    code, told = edge.run("install", "--chain", edge.folder / "nowhere", "--key", edge.folder / "key.pem", "--out", edge.out)
    assert (code, "nowhere cannot be read: No such file" in told) == (1, True)
    assert not edge.out.exists()


@pytest.mark.parametrize(
    "form", [("pkcs8", "-topk8", "-v2", "aes-256-cbc"), ("ec", "-aes256"), ("rsa", "-aes128", "-traditional")]
)
def test_an_encrypted_key_is_told_with_the_command_that_decrypts_it(edge: Edge, leaf: Issued, form: tuple[str, ...]) -> None:
    key = openssl("genpkey", *rsa(1024)) if form[0] == "rsa" else leaf.key
    code, told = edge.install(leaf.pem, openssl(*form, "-passout", "pass:secret", given=key))
    assert code == 1
    assert "is encrypted" in told
    assert "openssl pkey -in KEY" in told


def test_a_key_of_another_certificate_is_refused_and_nothing_of_it_is_told(edge: Edge, leaf: Issued) -> None:
    other = edge.authority.leaf(f"DNS:{NAME}")
    code, told = edge.install(leaf.pem + edge.authority.intermediate.pem, other.key)
    assert code == 1
    assert f"the key does not belong to the certificate 'CN={NAME}'" in told
    assert not set(other.key.splitlines()) & set(told.splitlines())


def test_a_chain_out_of_order_is_told_with_the_right_order(edge: Edge, leaf: Issued) -> None:
    root, intermediate = edge.authority.root.pem, edge.authority.intermediate.pem
    right = f"the right one is: 'CN={NAME}', then 'CN=Test intermediate', then 'CN=Test root'"
    for wrong in (root + intermediate + leaf.pem, leaf.pem + root + intermediate):
        code, told = edge.install(wrong, leaf.key)
        assert code == 1
        assert right in told
        assert "incomplete" not in told
    assert edge.install(leaf.pem + intermediate + root, leaf.key)[0] == 0


def test_a_certificate_that_does_not_belong_to_the_chain_is_named(edge: Edge, leaf: Issued, tmp_path: Path) -> None:
    intermediate = edge.authority.intermediate.pem
    stranger = Authority(tmp_path / "other").intermediate.pem  # of the same name, but it did not sign
    assert "'CN=Test intermediate', which issued none of the others" in edge.install(leaf.pem + stranger, leaf.key)[1]
    assert f"the chain has 'CN={NAME}' twice" in edge.install(leaf.pem * 2 + intermediate, leaf.key)[1]


def test_an_issuer_that_is_missing_is_named(edge: Edge, leaf: Issued) -> None:
    code, told = edge.install(leaf.pem, leaf.key)
    assert code == 1
    assert f"it ends with 'CN={NAME}', and its issuer 'CN=Test intermediate' is missing" in told


def test_an_authority_of_ones_own_is_complete_with_its_root(edge: Edge, leaf: Issued, tmp_path: Path) -> None:
    own = Authority(tmp_path / "own")
    one = own.leaf(f"DNS:{NAME}")
    assert "incomplete" in edge.install(one.pem + own.intermediate.pem, one.key)[1]
    assert edge.install(one.pem + own.intermediate.pem + own.root.pem, one.key) == (0, "changed\n")


def test_without_the_roots_of_the_host_completeness_is_told_as_unknown(edge: Edge, leaf: Issued) -> None:
    code, told = edge.install(leaf.pem, leaf.key, "--roots", edge.folder / "none")
    assert code == 0
    assert "whether the chain is complete is not known" in told


@pytest.mark.parametrize(
    ("days", "code", "sentence"),
    [
        (-2, 1, "is not valid before"),
        (1, 0, ""),
        (77, 0, "warning: 'CN=voice.example.com' expires in 12 days"),
        (91, 1, "'CN=voice.example.com' expired on"),
    ],
)
def test_the_time_of_a_leaf(
    edge: Edge, leaf: Issued, monkeypatch: pytest.MonkeyPatch, days: int, code: int, sentence: str
) -> None:
    now = time.time() + days * DAY
    monkeypatch.setattr(program.time, "time", lambda: now)
    found, told = edge.install(leaf.pem + edge.authority.intermediate.pem, leaf.key)
    assert found == code
    assert sentence in told
    assert ("warning" in told) == ("warning" in sentence)


def test_a_short_rsa_key_is_refused_and_a_long_one_warned_of(edge: Edge) -> None:
    for bits, code, sentence in ((1024, 1, "RSA with 1024 bits"), (2048, 0, "warning: the key is RSA")):
        one = edge.authority.leaf(f"DNS:{NAME}", kind=rsa(bits))
        found, told = edge.install(one.pem + edge.authority.intermediate.pem, one.key)
        assert (found, sentence in told) == (code, True), told


def test_more_than_haproxy_takes_is_refused(edge: Edge) -> None:
    one = edge.authority.leaf(*(f"DNS:{'x' * 60}{number}.{'y' * 60}.{'z' * 60}.example.com" for number in range(60)))
    code, told = edge.install(one.pem + edge.authority.intermediate.pem, one.key)
    assert code == 1
    assert "HAProxy takes 15000" in told


def test_a_file_that_cannot_be_written_leaves_the_old_one(edge: Edge, leaf: Issued) -> None:
    (edge.folder / ".certificate.pem.new").mkdir()
    edge.out.write_text("old")
    code, told = edge.install(leaf.pem + edge.authority.intermediate.pem, leaf.key)
    assert (code, "certificate.pem cannot be written" in told, edge.out.read_text()) == (1, True, "old")


def test_what_was_not_understood_ends_with_2(edge: Edge) -> None:
    for arguments in (["install", "--chain", "a"], ["self-sign", "--out", "a"], ["renew"], []):
        with pytest.raises(SystemExit) as ended:
            program.main(arguments)
        assert ended.value.code == 2


# -- the HAProxy that runs ---------------------------------------------------------------------------------------------


class Haproxy:
    """The runtime socket of a HAProxy with one certificate file, as far as the program speaks with it."""

    def __init__(self, place: Path, file: Path, sha1: str) -> None:
        self.file, self.sha1 = file, sha1
        self.refuses = ""
        self.commands: list[str] = []
        self._set = ""
        self._line = socket.socket(socket.AF_UNIX)
        self._line.bind(str(place))
        self._line.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._line.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._line.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._line.accept()
            except OSError:
                return
            with client:
                client.settimeout(10)
                asked = b""
                while not asked.endswith(b"\n\n" if b"<<" in asked else b"\n"):
                    asked += client.recv(65536)
                client.sendall(self._answer(asked.decode()).encode())

    def _answer(self, asked: str) -> str:
        command, _, payload = asked.partition("\n")
        self.commands.append(command)
        if not command.partition(" <<")[0].endswith(f" ssl cert {self.file}"):
            return "Can't display the certificate: Not found or the certificate is a bundle!\n"
        match command.split()[0]:
            case "show":
                return f"Filename: {self.file}\nStatus: Used\nSHA1 FingerPrint: {self.sha1}\nChain Issuer: /CN=x\n\n"
            case "set":
                assert payload.index("\n\n") == len(payload) - 2, "a blank line ends the payload"
                assert self.file.read_text() == payload[:-1], "the file comes first"
                self._set = program.read_certificate(program.PEM.search(payload).group(2), "the payload").sha1
                return f"Transaction created for certificate {self.file}!\n\n"
            case "commit" if not self.refuses:
                self.sha1, self._set = self._set, ""
                return f"Committing {self.file}\nSuccess!\n\n"
            case "abort":
                self._set = ""
        return f"{self.refuses}\n"


@pytest.fixture
def haproxy(edge: Edge) -> Iterator[Haproxy]:
    """Yield a HAProxy that serves a self-signed certificate."""
    edge.run("self-sign", "--out", edge.out, NAME)
    [first] = program.certificates_in(str(edge.out))
    running = Haproxy(edge.folder / "admin.sock", edge.out, first.sha1)
    yield running
    running.close()


def test_the_running_haproxy_gets_what_the_file_got(edge: Edge, haproxy: Haproxy, leaf: Issued) -> None:
    chain, admin = leaf.pem + edge.authority.intermediate.pem, edge.folder / "admin.sock"
    assert edge.install(chain, leaf.key, "--socket", admin) == (0, "changed\n")
    [served, _] = program.certificates_in(str(edge.out))
    assert haproxy.sha1 == served.sha1
    assert edge.install(chain, leaf.key, "--socket", admin) == (0, "unchanged\n")
    assert [command.split()[0] for command in haproxy.commands] == ["show", "set", "commit", "show"]


def test_a_haproxy_that_serves_another_is_found_and_mended(edge: Edge, haproxy: Haproxy) -> None:
    admin = edge.folder / "admin.sock"
    right, haproxy.sha1 = haproxy.sha1, "A" * 40
    code, printed = edge.run("check", "--chain", edge.out, "--socket", admin)
    facts = json.loads(printed)
    assert (code, facts["ok"], facts["served_same"]) == (1, False, False)
    assert "the running HAProxy serves another certificate" in facts["problems"][0]
    assert edge.run("self-sign", "--out", edge.out, NAME, "--socket", admin) == (0, "changed\n")
    assert haproxy.sha1 == right
    assert json.loads(edge.run("check", "--chain", edge.out, "--socket", admin)[1])["served_same"] is True


def test_a_haproxy_that_does_not_take_it_is_told_and_asked_again(edge: Edge, haproxy: Haproxy, leaf: Issued) -> None:
    chain, admin = leaf.pem + edge.authority.intermediate.pem, edge.folder / "admin.sock"
    haproxy.refuses = "unable to load certificate"
    code, told = edge.install(chain, leaf.key, "--socket", admin)
    assert code == 1
    assert "is written, but the running HAProxy did not take it" in told
    assert "unable to load certificate" in told
    assert haproxy.commands[-1].startswith("abort")
    haproxy.refuses = ""
    assert edge.install(chain, leaf.key, "--socket", admin) == (0, "changed\n")


def test_for_a_haproxy_that_does_not_use_the_file_the_file_is_enough(edge: Edge, haproxy: Haproxy, leaf: Issued) -> None:
    """HAProxy as its package starts it answers at the same socket, and reads the file once it is the edge."""
    chain, admin = leaf.pem + edge.authority.intermediate.pem, edge.folder / "admin.sock"
    haproxy.file = edge.folder / "another.pem"
    assert edge.install(chain, leaf.key, "--socket", admin, "--dry-run") == (0, "changed\n")
    assert edge.install(chain, leaf.key, "--socket", admin) == (0, "changed\n")
    assert edge.install(chain, leaf.key, "--socket", admin) == (0, "unchanged\n")
    assert {command.split()[0] for command in haproxy.commands} == {"show"}


def test_without_a_running_haproxy_the_file_is_enough(edge: Edge, leaf: Issued) -> None:
    chain, admin = leaf.pem + edge.authority.intermediate.pem, edge.folder / "admin.sock"
    assert edge.install(chain, leaf.key, "--socket", admin) == (0, "changed\n")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(admin))
    assert edge.install(chain, leaf.key, "--socket", admin) == (0, "unchanged\n")
    assert json.loads(edge.run("check", "--chain", edge.out, "--socket", admin)[1])["served_same"] is None


def test_a_dry_run_tells_what_would_change_and_changes_nothing(edge: Edge, haproxy: Haproxy, leaf: Issued) -> None:
    chain, admin, before = leaf.pem + edge.authority.intermediate.pem, edge.folder / "admin.sock", edge.out.read_text()
    sign = ("self-sign", "--dry-run", "--out", edge.out, "--socket", admin, NAME)
    assert edge.run(*sign) == (0, "unchanged\n")
    assert edge.run(*sign, "b.example.com") == (0, "changed\n")
    assert edge.install(chain, leaf.key, "--socket", admin, "--dry-run") == (0, "changed\n")
    haproxy.sha1 = "A" * 40
    assert edge.run(*sign) == (0, "changed\n")
    assert edge.out.read_text() == before
    assert {command.split()[0] for command in haproxy.commands} == {"show"}


# -- certbot's hook ----------------------------------------------------------------------------------------------------


@pytest.fixture
def lineage(edge: Edge, leaf: Issued, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = edge.folder / "live"
    folder.mkdir()
    (folder / "fullchain.pem").write_text(leaf.pem + "\n" + edge.authority.intermediate.pem)
    (folder / "privkey.pem").write_text(leaf.key)
    monkeypatch.setenv("RENEWED_LINEAGE", str(folder))
    return folder


def hook(edge: Edge, **changed: object) -> tuple[int, str]:
    facts: dict[str, object] = {"domains": [NAME], "certificate": "acme", "certificate_file": str(edge.out)}
    facts |= {"admin_socket": str(edge.folder / "admin.sock"), **changed}
    (edge.folder / "edge.json").write_text(json.dumps(facts))
    return edge.run("hook", "--facts", edge.folder / "edge.json")


@pytest.mark.usefixtures("lineage")
def test_the_hook_serves_what_certbot_got(edge: Edge, haproxy: Haproxy) -> None:
    assert hook(edge) == (0, "changed\n")
    [served, _] = program.certificates_in(str(edge.out))
    assert haproxy.sha1 == served.sha1
    assert hook(edge) == (0, "unchanged\n")


def test_the_hook_refuses_a_key_of_another_certificate(edge: Edge, lineage: Path) -> None:
    (lineage / "privkey.pem").write_text(edge.authority.leaf(f"DNS:{NAME}").key)
    edge.out.write_text("old")
    code, told = hook(edge)
    assert (code, "the key does not belong" in told, edge.out.read_text()) == (1, True, "old")


def test_the_hook_serves_what_lacks_a_name_or_an_issuer_and_says_so(edge: Edge, lineage: Path, leaf: Issued) -> None:
    (lineage / "fullchain.pem").write_text(leaf.pem)
    code, told = hook(edge, domains=[NAME, "new.example.com"])
    assert (code, told.splitlines()[-1]) == (0, "changed")
    assert "warning: it is not for new.example.com" in told


@pytest.mark.usefixtures("lineage")
def test_the_hook_does_nothing_once_another_certificate_was_chosen(edge: Edge) -> None:
    edge.out.write_text("the operator's own")
    assert hook(edge, certificate="files") == (0, "unchanged\n")
    assert edge.out.read_text() == "the operator's own"


def test_a_hook_without_its_facts_says_what_to_do(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RENEWED_LINEAGE", raising=False)
    assert "RENEWED_LINEAGE is not set" in hook(edge)[1]
    (edge.folder / "edge.json").write_text("{}")
    code, told = edge.run("hook", "--facts", edge.folder / "edge.json")
    assert (code, "deploy again" in told) == (1, True)
