"""A bundle gives the same verdicts elsewhere and holds no secret; a stranger's bundle does no harm."""

import io
import json
import os
import stat
import tarfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from exotel_phone.exits import Refusal, UsageFault
from exotelctl import journal
from exotelctl.doctor import bundle, checks, mask
from exotelctl.doctor.facts import Facts
from exotelctl.doctor.facts.fact import Fact

from tests.unit.tools.doctor_facts import CLOUD, DEPLOYMENT, OUTSIDE, PORT, STRANGER, call, calls, healthy


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "out.tar"


def facts_in(file: Path) -> dict[str, Any]:
    with tarfile.open(file) as tar:
        member = tar.extractfile("facts.json")
        assert member is not None
        return dict(json.load(member))


def tar_of(file: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(file, "w") as tar:
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file


def with_facts(file: Path, data: bytes) -> Path:
    return tar_of(file, (tarfile.TarInfo("facts.json"), data))


def altered(file: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    bundle.write(file, healthy())
    document = facts_in(file)
    change(document)
    file.unlink()
    return with_facts(file, json.dumps(document).encode())


@pytest.mark.parametrize(
    "facts",
    [
        healthy(),
        healthy(outside=OUTSIDE),
        healthy(cloud=replace(CLOUD, reachable="no", text="tcp:8765 is denied by rule block, priority 900")),
        healthy(cloud=Fact(missing="instance voice-1: not found")),
        healthy(port=replace(PORT, holders=(STRANGER,)), calls=calls(call(ended="no_stop", faults=("rate_mismatch",)))),
        healthy(units=Fact(missing="systemd does not answer"), calls=Fact(missing="no journal", needs="root")),
    ],
)
def test_a_bundle_is_judged_as_the_host_was(file: Path, facts: Facts) -> None:
    bundle.write(file, facts)
    assert bundle.read(file) == facts
    assert checks.judge(bundle.read(file)) == checks.judge(facts)


def test_it_is_for_its_owner_and_never_overwrites(file: Path) -> None:
    bundle.write(file, healthy())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    with pytest.raises(UsageFault, match="there already"):
        bundle.require_new(file)
    with pytest.raises(UsageFault, match="File exists"):
        bundle.write(file, healthy())
    assert file.read_bytes() == before


def test_a_link_is_not_followed(file: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    file.symlink_to(victim)
    with pytest.raises(UsageFault):
        bundle.write(file, healthy())
    assert not victim.exists()


def _format(document: dict[str, Any]) -> None:
    document["format"] = 2


def _type(document: dict[str, Any]) -> None:
    document["facts"]["port"]["value"]["port"] = "8765"


def _boolean(document: dict[str, Any]) -> None:
    document["facts"]["port"]["value"]["port"] = True


def _unknown_name(document: dict[str, Any]) -> None:
    document["facts"]["port"]["value"]["__class__"] = 1


def _missing(document: dict[str, Any]) -> None:
    del document["facts"]["collected_at"]


def _endless(document: dict[str, Any]) -> None:
    document["facts"]["collected_at"] = float("inf")


def _far(document: dict[str, Any]) -> None:
    document["facts"]["collected_at"] = 1e300


def _list(document: dict[str, Any]) -> None:
    document["facts"]["workers"]["value"] = {"0": {}}


REFUSED: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "another format": (_format, "has format 2, this exotelctl reads 1"),
    "a wrong type": (_type, r"Expected `int`, got `str` - at `\$\.facts\.port\.value\.port`"),
    "a truth value for a number": (_boolean, "Expected `int`, got `bool`"),
    "a name of its own": (_unknown_name, "unknown '__class__'"),
    "a gap": (_missing, "collected_at"),
    "a number without end": (_endless, "JSON is malformed"),
    "a time that is none": (_far, "which is no time"),
    "an object for a list": (_list, r"Expected `array \| null`, got `object` - at `\$\.facts\.workers\.value`"),
}


@pytest.mark.parametrize(("change", "why"), REFUSED.values(), ids=REFUSED)
def test_facts_that_are_not_ours_are_refused(file: Path, change: Callable[[dict[str, Any]], None], why: str) -> None:
    with pytest.raises(Refusal, match=why):
        bundle.read(altered(file, change))


def test_a_format_of_later_is_refused_in_one_clear_word(file: Path) -> None:
    with_facts(file, b'{"format": 7, "everything": "else"}')
    with pytest.raises(Refusal, match="use the release that wrote it"):
        bundle.read(file)


@pytest.mark.parametrize("data", [b"[" * 100_000, b"\xff\xfe", b"[]", b'{"format": 1}', b'{"format":1,"facts":[]}', b""])
def test_what_is_no_document_is_refused(file: Path, data: bytes) -> None:
    with pytest.raises(Refusal):
        bundle.read(with_facts(file, data))


def test_what_is_no_tar_is_a_wrong_file(file: Path) -> None:
    file.write_bytes(b"no tar" * 1000)
    with pytest.raises(UsageFault, match="not a bundle"):
        bundle.read(file)
    with pytest.raises(UsageFault, match="No such file"):
        bundle.read(file.with_name("nowhere"))
    with pytest.raises(UsageFault):
        bundle.read(file.parent)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageFault, match="nor any file"):
        bundle.read(tmp_path / "pipe")


@pytest.mark.parametrize("record", ["GNU.sparse.size", "GNU.sparse.map", "size"])
def test_odd_headers_are_no_traceback(file: Path, record: str) -> None:
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("facts.json")
        member.pax_headers = {"GNU.sparse.major": "0", record: "-x"}
        tar.addfile(member)
    with pytest.raises((UsageFault, Refusal)):
        bundle.read(file)


def test_a_compressed_file_is_not_unpacked(file: Path) -> None:
    with tarfile.open(file, "w:gz") as tar:
        bomb = tarfile.TarInfo("facts.json")
        bomb.size = 50 << 20
        tar.addfile(bomb, io.BytesIO(bytes(bomb.size)))
    with pytest.raises(UsageFault, match="not a bundle"):
        bundle.read(file)


def test_a_large_file_is_not_read(file: Path) -> None:
    with file.open("wb") as sparse:
        sparse.truncate(33 << 20)
    with pytest.raises(Refusal, match="more than 32 MiB"):
        bundle.read(file)


def test_a_link_in_it_leads_nowhere(file: Path) -> None:
    link = tarfile.TarInfo("facts.json")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with pytest.raises(UsageFault, match=r"no facts\.json"):
        bundle.read(tar_of(file, (link, b"")))


def test_nothing_is_written_on_reading(file: Path) -> None:
    outside = tarfile.TarInfo("../escaped")
    data = json.dumps(asdict(healthy())).encode()
    tar_of(file, (outside, b"x"), (tarfile.TarInfo("facts.json"), b'{"format": 1, "facts": ' + data + b"}"))
    assert bundle.read(file) == healthy()
    assert list(file.parent.iterdir()) == [file]
    assert not (file.parent.parent / "escaped").exists()


SETTINGS = """\
mode = "ai"
public_url = "ws://198.51.100.7:8765/pA7h-s3cret"
paths = ["/pA7h-s3cret"]

[ai]
webhook_url = "https://hooks.example.com/services/T0PSEC/B0PSEC?sig=s1gnature"

[ai.services.mine]
base_url = "https://bob:hunter22@llm.example.com/v1"
credential = "mine-api-key"

[ai.services.mine.options]
extra_headers = {"X-Key" = "h3ader-k3y"}
"""


def test_nothing_that_the_settings_or_the_credentials_keep_secret_is_in_it(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etc = tmp_path / "root/etc/exotel-ws"
    for name, old in (("g1", "0ld-p4th"), ("g2", "pA7h-s3cret")):
        (etc / f"generations/{name}/credentials").mkdir(parents=True)
        (etc / f"generations/{name}/settings.toml").write_text(SETTINGS.replace("pA7h-s3cret", old))
        (etc / f"generations/{name}/credentials/stream-credentials").write_text(f"exotel:t0ken-of-{name}\n")
    (etc / "current").symlink_to("generations/g2")
    (etc / "credentials").mkdir()
    (etc / "credentials/mine-api-key").write_text("pr0vider-k3y")
    units = tmp_path / "root/etc/systemd/system/exotel-ws@.service.d"
    units.mkdir(parents=True)
    (units / "own.conf").write_text("[Service]\nExecStartPost=curl hunter22\n")
    line = "GET /0ld-p4th by t0ken-of-g1, asked https://hooks.example.com/services/T0PSEC/B0PSEC with pr0vider-k3y"
    monkeypatch.setattr(journal, "read", lambda **_: iter([journal.Entry(0.0, line, 6, "u", "", {})]))
    deployed = replace(DEPLOYMENT, public_url="ws://198.51.100.7:8765/pA7h-s3cret", paths=("/pA7h-s3cret",))
    facts = healthy(deployment=deployed, calls=calls(call(failures=(line,))))
    bundle.write(file, facts, tmp_path / "root")
    data = file.read_bytes()
    secrets = ["pA7h-s3cret", "0ld-p4th", "T0PSEC", "B0PSEC", "s1gnature", "hunter22", "h3ader-k3y", "t0ken-of-g1", "t0ken-of-g2"]
    for secret in [*secrets, "pr0vider-k3y"]:
        assert secret.encode() not in data, secret
    for shown in ("198.51.100.7:8765", "hooks.example.com", "llm.example.com", "mine-api-key", 'mode = "ai"'):
        assert shown.encode() in data, shown
    assert [result.verdict for result in checks.judge(bundle.read(file))] == [result.verdict for result in checks.judge(facts)]


SECRETS = {
    "ws://KEY:s3cr3t@203.0.113.10:8765": "ws://•••@203.0.113.10:8765",
    "node server.js --token=s3cr3t --port 1": "node server.js --token=••• --port 1",
    "API_KEY: s3cr3t": "API_KEY: •••",
    "Environment=DEEPGRAM=s3cr3t": "Environment=DEEPGRAM=•••",
    "Authorization: Basic S0VZOnMzY3IzdA==": "Authorization: Basic •••",
    "GET /?key=s3cr3t&sample-rate=8000": "GET /?key=•••&sample-rate=8000",
}


@pytest.mark.parametrize(("text", "shown"), SECRETS.items())
def test_secrets_are_left_out(text: str, shown: str) -> None:
    assert mask.without_secrets(text) == shown


@pytest.mark.parametrize("text", ["settings.toml: unknown key", "ListenStream=0.0.0.0:8765", "conn_0123456789ab closed"])
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask.without_numbers(mask.without_secrets(text)) == text


def test_callers_numbers_are_masked() -> None:
    assert (
        mask.without_numbers("[conn_1]    From: 09123456780 → To: 08012345670")
        == "[conn_1]    From: 091•••••780 → To: 080•••••670"
    )
    assert mask.without_numbers("call of +919123456780 ended") == "call of +919••••••780 ended"
