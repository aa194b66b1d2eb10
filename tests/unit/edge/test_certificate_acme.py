"""The program that has an ACME authority issue: when it asks, with which words, and what it says when certbot fails."""

import importlib.util
import json
import time
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.edge.authority import Authority

FILES = Path(__file__).parents[3] / "roles/edge/files"
NAME = "voice.example.com"
DIRECTORY = "https://acme.example.com/directory"
CERTBOT = """\
#!/bin/sh
# Plays certbot: notes how it is called, then does what FOLDER/does says.
echo "$*" >>{folder}/calls
echo "${{REQUESTS_CA_BUNDLE-}}" >>{folder}/trusted
. {folder}/does
"""
SYSTEMCTL = """\
#!/bin/sh
# Plays systemctl: shows what the files shown-UNIT say, and notes what it is told.
[ "$1" = show ] || {{ echo "$*" >>{folder}/told; exit; }}
shift 2
for unit; do
  cat {folder}/shown-$unit 2>/dev/null || printf '%s\\n' "Id=$unit" UnitFileState= ActiveState=inactive NeedDaemonReload=no
  echo
done
"""
ISSUES = """\
case "$*" in
  certonly*)
    mkdir -p {etc}/renewal {etc}/live
    rm -rf {etc}/live/exotel-edge; cp -r {folder}/issued {etc}/live/exotel-edge
    printf '%s\\n' 'version = 2.1.0' '[renewalparams]' 'server = {server}' 'authenticator = standalone' \
      'account = {account}' 'http01_address = 127.0.0.1' 'http01_port = {port}' 'key_type = ecdsa' \
      'renew_hook = {certificate} hook' \
      >{etc}/renewal/exotel-edge.conf ;;
esac
"""


def load() -> ModuleType:
    loader = SourceFileLoader("edge_acme", str(FILES / "acme"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


acme = load()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


class Host:
    """Host with a played certbot; `issues` is what the authority gives next, `calls` are certbot's arguments so far."""

    def __init__(
        self, folder: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.authority, self.capsys = folder, authority, capsys
        self.etc, self.out, self.rehearsal = folder / "etc", folder / "certificate.pem", folder / "lib/rehearsal.json"
        self.certificate = folder / "certificate"
        self.certificate.write_text(
            f"#!/bin/sh\nverb=$1; shift\n[ $verb != hook ] || set -- --facts {folder}/edge.json\n"
            f'exec {FILES}/certificate $verb --roots {authority.roots} "$@"\n'
        )
        self.does("exit 1")
        for name, played in (("DEBIAN", self.etc), ("OWN", folder / "own")):
            program = folder / f"certbot-{name}"
            program.write_text(CERTBOT.format(folder=folder))
            program.chmod(0o755)
            monkeypatch.setattr(acme, name, acme.Certbot(program, played, () if name == "DEBIAN" else ("--config-dir", "own")))
        self.certificate.chmod(0o755)
        monkeypatch.setattr(acme, "CERTIFICATE", self.certificate)
        monkeypatch.setattr(acme, "REHEARSAL", self.rehearsal)
        monkeypatch.setattr(acme, "CONTACT", self.rehearsal.with_name("contact.json"))
        monkeypatch.setattr(acme, "VENV", folder / "opt/certbot")
        monkeypatch.setattr(acme, "CA", folder / "acme-ca.pem")
        monkeypatch.setattr(acme, "LOGS", folder / "log")
        monkeypatch.setattr(acme, "UNITS", folder / "units")
        monkeypatch.setattr(acme, "STAMPS", folder / "stamps")
        self.systemctl = folder / "systemctl"
        self.systemctl.write_text(SYSTEMCTL.format(folder=folder))
        self.systemctl.chmod(0o755)
        for unit in ("certbot.timer", "exotel-edge-rehearsal.timer"):
            self.unit(unit, "enabled", "active")
        self.unit("exotel-edge-renewal.timer", "disabled", "inactive")
        monkeypatch.setattr(acme, "SYSTEMCTL", str(self.systemctl))
        monkeypatch.setattr(acme, "__file__", str(folder / "acme"))
        monkeypatch.setattr(acme, "WAIT_S", 0)

    def unit(self, name: str, enabled: str, active: str, stale: str = "no") -> None:
        """Let systemd say this of a unit."""
        text = f"Id={name}\nUnitFileState={enabled}\nActiveState={active}\nNeedDaemonReload={stale}\n"
        (self.folder / f"shown-{name}").write_text(text)

    @property
    def told_systemd(self) -> list[str]:
        """Return what systemd was told to do since it was last asked for."""
        told = self.folder / "told"
        said = told.read_text().splitlines() if told.exists() else []
        told.unlink(missing_ok=True)
        return said

    def does(self, script: str) -> None:
        (self.folder / "does").write_text(script + "\n")

    def issues(self, *names: str, etc: Path | None = None, days: int = 90, server: str = DIRECTORY, account: str = "a1") -> None:
        one = self.authority.leaf(*names, days=days)
        (self.folder / "issued").mkdir(exist_ok=True)
        (self.folder / "issued/fullchain.pem").write_text(one.pem + self.authority.intermediate.pem)
        (self.folder / "issued/privkey.pem").write_text(one.key)
        facts = {"certificate": "acme", "certificate_file": str(self.out), "admin_socket": str(self.folder / "none.sock")}
        facts["domains"] = [name.partition(":")[2] for name in names]
        (self.folder / "edge.json").write_text(json.dumps(facts))
        where = {"folder": self.folder, "etc": etc or self.etc, "certificate": self.certificate}
        self.does(ISSUES.format(**where, server=server, account=account, port=acme.PORT))

    @property
    def calls(self) -> list[str]:
        calls = self.folder / "calls"
        return [call for call in calls.read_text().splitlines() if call != "--version"] if calls.exists() else []

    def run(self, *arguments: str) -> tuple[int, str]:
        code = acme.main(arguments)
        printed = self.capsys.readouterr()
        return code, printed.out + printed.err

    def issue(self, *names: str, directory: str = DIRECTORY, more: tuple[str, ...] = ("--terms-agreed",)) -> tuple[int, str]:
        return self.run("issue", "--directory", directory, *more, *names)


@pytest.fixture
def host(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Host:
    return Host(tmp_path, authority, monkeypatch, capsys)


def test_the_first_certificate_is_asked_for_and_served_and_then_kept(host: Host) -> None:
    host.issues(f"DNS:{NAME}", "DNS:b.example.com")
    code, told = host.issue("B.example.com.", NAME, more=("--terms-agreed", "--email", "ops@example.com"))
    assert (code, told.splitlines()[-1]) == (0, "changed")
    assert f"{DIRECTORY} is asked for b.example.com, {NAME}: there is none yet" in told
    assert host.out.read_text().startswith("-----BEGIN CERTIFICATE-----")
    call, told_address = host.calls
    assert told_address.startswith("update_account"), "an account that was there before has another address"
    for words in (
        "certonly --standalone --cert-name exotel-edge",
        "--http-01-address 127.0.0.1 --http-01-port 302",
        "--key-type ecdsa --elliptic-curve secp256r1",
        f"--deploy-hook {host.certificate} hook",
        "--email ops@example.com",
        f"--domain b.example.com --domain {NAME}",
        "--non-interactive",
    ):
        assert words in call
    assert host.issue(NAME, "b.example.com", more=("--email", "ops@example.com")) == (0, "unchanged\n")
    assert len(host.calls) == 2


def test_another_address_is_told_to_the_account_and_no_certificate_is_asked_for(host: Host) -> None:
    def issue(email: str, *more: str) -> tuple[int, str]:
        return host.issue(NAME, more=("--terms-agreed", f"--email={email}", *more))

    host.issues(f"DNS:{NAME}")
    issue("")
    assert len(host.calls) == 1, "an account that was there before keeps what it has"
    would = f"{DIRECTORY} would be given ops@example.com: it writes to nobody that we know of\nchanged\n"
    assert issue("ops@example.com", "--dry-run") == (0, would)
    assert issue("ops@example.com") == (0, would.replace("would be", "is"))
    assert host.calls[1:] == [
        f"update_account --server {DIRECTORY} --account a1 --email ops@example.com --no-eff-email --non-interactive"
    ]
    for more in ((), ("--dry-run",)):
        assert issue("ops@example.com", *more) == (0, "unchanged\n")
    told = f"{DIRECTORY} is given no address any more: it writes to ops@example.com\nchanged\n"
    assert issue("") == (0, told)
    assert "--register-unsafely-without-email" in host.calls[2]
    assert issue("") == (0, "unchanged\n")
    assert len(host.calls) == 3


def test_the_account_of_another_authority_is_told_the_address_too(host: Host) -> None:
    address = ("--terms-agreed", "--email=ops@example.com")
    host.issues(f"DNS:{NAME}")
    host.issue(NAME, more=address)
    other = "https://other.example.com/directory"
    host.issues(f"DNS:{NAME}", server=other, account="b2")
    code, told = host.issue(NAME, directory=other, more=address)
    assert (code, told.count("\n")) == (0, 2), told
    assert f"update_account --server {other} --account b2 --email ops@example.com" in host.calls[-1]
    assert host.issue(NAME, directory=other, more=address) == (0, "unchanged\n")


def test_an_address_that_could_not_be_told_is_told_the_next_time(host: Host) -> None:
    host.issues(f"DNS:{NAME}")
    host.issue(NAME)
    host.does("echo 'ValueError: Requesting 127.0.0.1/dir: Connection refused' >&2; exit 1")
    failed = host.issue(NAME, more=("--terms-agreed", "--email=ops@example.com"))
    assert failed[0] == 1
    assert "acme: the authority has no new address to write to: this host does not reach the authority" in failed[1]
    host.does("exit 0")
    assert host.issue(NAME, more=("--terms-agreed", "--email=ops@example.com"))[1].splitlines()[-1] == "changed"


def test_another_list_of_names_or_another_authority_is_asked_for_again(host: Host) -> None:
    host.issues(f"DNS:{NAME}", "DNS:b.example.com")
    host.issue(NAME, "b.example.com")
    host.issues(f"DNS:{NAME}")
    code, told = host.issue(NAME)
    assert code == 0
    assert f"it is for b.example.com, {NAME}" in told
    other = "https://other.example.com/directory"
    host.issues(f"DNS:{NAME}", server=other)
    assert f"it is of another authority, {DIRECTORY}" in host.issue(NAME, directory=other)[1]
    assert len(host.calls) == 3
    assert host.issue(NAME, directory=other) == (0, "unchanged\n")


def test_one_that_is_renewed_through_another_port_is_asked_for_again(host: Host) -> None:
    host.issues(f"DNS:{NAME}")
    host.issue(NAME)
    renewal = host.etc / "renewal/exotel-edge.conf"
    renewal.write_text(renewal.read_text().replace(f"http01_port = {acme.PORT}", "http01_port = 8402"))
    code, told = host.issue(NAME)
    assert code == 0
    assert f"it is renewed otherwise: http01_port is 8402, not {acme.PORT}" in told
    assert host.issue(NAME) == (0, "unchanged\n")


def test_certbot_answers_where_the_edge_asks_and_only_root_may(host: Host) -> None:
    asked = (FILES.parent / "templates/haproxy.cfg.j2").read_text()
    assert f"server certbot 127.0.0.1:{acme.PORT}\n" in asked
    assert acme.PORT < 1024


def test_one_that_was_not_renewed_in_time_is_asked_for_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.issues(f"DNS:{NAME}")
    host.issue(NAME)
    now = time.time()
    monkeypatch.setattr(acme.time, "time", lambda: now + 74 * 86400)
    assert host.issue(NAME) == (0, "unchanged\n")
    monkeypatch.setattr(acme.time, "time", lambda: now + 76 * 86400)
    assert "and was not renewed" in host.issue(NAME)[1]


def test_a_dry_run_says_why_it_would_ask_and_asks_nobody(host: Host) -> None:
    host.issues(f"DNS:{NAME}")
    code, told = host.issue(NAME, more=("--terms-agreed", "--dry-run"))
    assert (code, "would be asked" in told, told.splitlines()[-1]) == (0, True, "changed")
    assert host.calls == []
    host.issue(NAME)
    assert host.issue(NAME, more=("--terms-agreed", "--dry-run")) == (0, "unchanged\n")


def test_without_consent_to_the_terms_nobody_is_asked(host: Host) -> None:
    host.issues(f"DNS:{NAME}")
    code, told = host.issue(NAME, more=())
    assert (code, "edge_acme_terms_agreed: true" in told, host.calls) == (1, True, [])


def test_what_renews_it_is_started_and_nothing_else(host: Host) -> None:
    host.issues(f"DNS:{NAME}")
    host.issue(NAME)
    assert host.told_systemd == []
    host.unit("certbot.timer", "enabled", "inactive")
    host.unit("exotel-edge-renewal.timer", "enabled", "active")
    host.unit("exotel-edge-rehearsal.timer", "", "inactive")
    host.unit("certbot.service", "static", "inactive", stale="yes")
    assert host.issue(NAME, more=("--terms-agreed", "--dry-run")) == (0, "changed\n")
    assert host.told_systemd == []
    assert host.issue(NAME) == (0, "changed\n")
    assert host.told_systemd == [
        "daemon-reload",
        "enable --now --quiet certbot.timer exotel-edge-rehearsal.timer",
        "disable --now --quiet exotel-edge-renewal.timer",
    ]


def test_a_timer_that_does_not_start_is_a_failure(host: Host) -> None:
    host.issues(f"DNS:{NAME}")
    host.unit("certbot.timer", "masked", "inactive")
    host.systemctl.write_text(host.systemctl.read_text().replace("exit;", 'echo "Unit is masked." >&2; exit 1;'))
    code, told = host.issue(NAME)
    assert code == 1
    told_why = "nothing renews the certificate: systemctl enable --now --quiet certbot.timer failed: Unit is masked."
    assert told_why in told


def test_a_certificate_that_is_not_served_is_a_failure_and_is_served_the_next_time(host: Host) -> None:
    host.issues(f"DNS:{NAME}")
    beside = host.folder / ".certificate.pem.new"
    beside.mkdir()
    code, told = host.issue(NAME)
    assert code == 1
    assert "the new certificate is not served: certificate: " in told
    assert "certificate.pem cannot be written" in told
    beside.rmdir()
    assert host.issue(NAME) == (0, "changed\n")
    assert len(host.calls) == 1


def test_a_file_that_lost_the_certificate_gets_it_back_without_asking(host: Host) -> None:
    host.issues(f"DNS:{NAME}")
    host.issue(NAME)
    host.out.write_text("something else")
    assert host.issue(NAME) == (0, "changed\n")
    assert len(host.calls) == 1


def test_an_address_is_asked_for_with_the_newer_certbot_and_the_older_one_forgets(host: Host) -> None:
    host.issues(f"DNS:{NAME}")
    host.issue(NAME)
    host.issues("IP:203.0.113.7", etc=host.folder / "own", days=6)
    assert host.issue("203.0.113.7")[0] == 0
    _, asked = host.calls
    assert "--ip-address 203.0.113.7" in asked
    assert "--preferred-profile shortlived" in asked
    assert "--config-dir own" in asked
    assert not list(host.etc.rglob("*.*"))
    assert host.told_systemd == ["enable --now --quiet exotel-edge-renewal.timer"]
    host.unit("exotel-edge-renewal.timer", "enabled", "active")
    assert host.issue("203.0.113.7") == (0, "unchanged\n")
    host.issues(f"DNS:{NAME}")
    assert host.issue(NAME)[1].splitlines()[-1] == "changed"
    assert not list((host.folder / "own").rglob("*.*"))


def test_a_host_without_a_package_index_is_told_what_it_needs(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    (host.folder / "certbot-OWN").unlink()
    monkeypatch.setattr(acme, "NEWER", str(host.folder / "no-such.whl"))
    code, told = host.issue("203.0.113.7")
    assert code == 1
    assert "which is in no package of Debian" in told
    assert "Give edge_domain a name instead" in told
    assert len(told.splitlines()) == 2, "what is asked for, then one line"
    assert not (host.folder / "opt/certbot").exists()


def test_the_ca_of_a_private_authority_is_trusted_by_each_call(host: Host) -> None:
    host.issues(f"DNS:{NAME}")
    (host.folder / "acme-ca.pem").write_text(host.authority.root.pem)
    host.issue(NAME)
    host.run("renew")
    host.run("rehearse")
    assert (host.folder / "trusted").read_text().splitlines() == [str(host.folder / "acme-ca.pem")] * 3


# -- renewals ----------------------------------------------------------------------------------------------------------


def test_a_rehearsal_asks_the_same_authority_and_keeps_its_result(host: Host) -> None:
    host.issues(f"DNS:{NAME}")
    host.issue(NAME)
    assert host.run("rehearse") == (0, "")
    assert f"renew --dry-run --server {DIRECTORY}" in host.calls[-1]
    kept = json.loads(host.rehearsal.read_text())
    assert (kept["ok"], kept["reason"], kept["at"] > 0) == (True, "", True)
    assert host.rehearsal.stat().st_mode & 0o777 == 0o644
    host.does("echo '  Domain: voice.example.com\n  Type:   connection\n  Detail: 203.0.113.7: timed out'; exit 1")
    code, told = host.run("rehearse")
    assert code == 1
    kept = json.loads(host.rehearsal.read_text())
    assert not kept["ok"]
    assert "does not reach port 80" in kept["reason"]
    assert told == f"acme: {kept['reason']}\n"
    assert [path.name for path in host.rehearsal.parent.iterdir()] == ["rehearsal.json"]


def test_a_rehearsal_without_a_certificate_is_red(host: Host) -> None:
    code, told = host.run("rehearse")
    assert (code, "no authority has issued a certificate" in told) == (1, True)
    assert json.loads(host.rehearsal.read_text())["ok"] is False


def test_what_is_removed_is_renewed_no_more(host: Host) -> None:
    host.issues(f"DNS:{NAME}")
    host.issue(NAME)
    host.run("rehearse")
    stamp, drop_in = "stamps/stamp-exotel-edge-rehearsal.timer", "units/certbot.service.d/exotel-edge-ca.conf"
    for path in ("units/exotel-edge-rehearsal.timer", stamp, drop_in, "acme", "acme-ca.pem", "log/x"):
        (host.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (host.folder / path).write_text("")
    (host.folder / "units/other.timer").write_text("")
    assert host.run("remove") == (0, "changed\n")
    left = {str(path.relative_to(host.folder)) for path in host.folder.rglob("*") if path.is_file()}
    assert not {one for one in left if one.startswith(("etc/", "lib/", "log/", "stamps/", "acme"))}
    assert {one for one in left if one.startswith("units/")} == {"units/other.timer"}
    assert host.out.exists(), "HAProxy serves it until another comes"
    assert host.run("remove") == (0, "unchanged\n")


# -- what certbot says -------------------------------------------------------------------------------------------------

FAILED = (
    "Certbot failed to authenticate some domains (authenticator: standalone). The Certificate Authority reported these problems:"
)
SAID = {
    "connection": (
        f"{FAILED}\n  Domain: {NAME}\n  Type:   connection\n  Detail: 203.0.113.7: Fetching http://{NAME}/x: "
        "Timeout during connect (likely firewall problem)\n\nHint: The Certificate Authority failed to download\n",
        "does not reach port 80: open it",
    ),
    "dns": (
        f"{FAILED}\n  Domain: {NAME}\n  Type:   dns\n  Detail: DNS problem: NXDOMAIN looking up A for {NAME}\n",
        "no address in public DNS",
    ),
    "elsewhere": (
        f"{FAILED}\n  Domain: {NAME}\n  Type:   unauthorized\n  Detail: 198.51.100.9: Invalid response from http://{NAME}: 404\n",
        "something else answers on port 80",
    ),
    "caa": (f"{FAILED}\n  Domain: {NAME}\n  Type:   caa\n  Detail: CAA record for {NAME} prevents issuance\n", "a CAA record"),
    "limit": (
        "An unexpected error occurred:\nError creating new order :: too many certificates (5) already issued for this exact set "
        "of domains in the last 168h0m0s, retry after 2026-12-01 10:00:00 UTC: see https://example.com/docs/rate-limits/\n",
        "the authority's limit is reached",
    ),
    "its CA": (
        "An unexpected error occurred:\nrequests.exceptions.SSLError: HTTPSConnectionPool(host='acme.example.com'): Max retries "
        "exceeded with url: /directory (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]')))\n",
        "edge_acme_ca_file",
    ),
    "no way out": (
        "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='acme.example.com', port=443): Max retries exceeded with "
        "url: /directory (Caused by NewConnectionError('Failed to establish a connection: [Errno 111] Connection refused'))\n",
        "this host does not reach the authority",
    ),
    "away": (
        "Saving debug log to /var/log/letsencrypt/letsencrypt.log\nAn unexpected error occurred:\nValueError: Requesting "
        "127.0.0.1/dir: Connection refused\nAsk for help or search for solutions at https://example.com. See the logfile.\n",
        "edge_acme_directory (ValueError: Requesting 127.0.0.1/dir: Connection refused)",
    ),
    "port": ("Problem binding to port 302: Could not bind to IPv4 or IPv6.\n", "port 302 on 127.0.0.1 is taken"),
    "twice": ("Another instance of Certbot is already running.\n", "another certbot has run"),
    "account": ("urn:ietf:params:acme:error:externalAccountRequired :: needs external account binding\n", "is not supported"),
    "policy": (
        'An unexpected error occurred:\nError creating new order :: Cannot issue for "voice.lab": Domain name does not end with '
        "a valid public suffix (TLD): rejectedIdentifier\n",
        "issues no certificate for this name",
    ),
    "address": (
        "An unexpected error occurred:\nurn:ietf:params:acme:error:invalidContact :: The provided contact URI was invalid :: "
        'Error validating contact(s) :: contact email has forbidden domain "example.com"\n',
        "correct edge_acme_email",
    ),
    "unknown": (
        "Saving debug log to x\nAn unexpected error occurred:\nBogusError: the moon\n",
        "certbot failed (BogusError: the moon)",
    ),
    "nothing": ("", "certbot failed ()"),
}


@pytest.mark.parametrize("which", SAID)
def test_a_failure_is_one_sentence_with_the_likely_cause(host: Host, which: str) -> None:
    said, cause = SAID[which]
    (host.folder / "said").write_text(said)
    host.does(f"cat {host.folder}/said >&2; exit 1")
    host.out.write_text("the self-signed one")
    code, told = host.issue(NAME)
    assert code == 1
    last = told.splitlines()[-1]
    assert last.startswith(f"acme: no certificate for {NAME}: ")
    assert cause in last
    assert len(last) < 600
    assert host.out.read_text() == "the self-signed one"


def test_a_certbot_that_does_not_end_is_ended(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acme, "ISSUE_S", 0.2)
    host.does("exec sleep 60")
    code, told = host.issue(NAME)
    assert (code, "was not done within 0.2 s" in told) == (1, True)


def test_a_host_without_certbot_says_so(host: Host) -> None:
    (host.folder / "certbot-DEBIAN").unlink()
    code, told = host.issue(NAME)
    assert (code, "cannot be run: No such file or directory" in told) == (1, True)
