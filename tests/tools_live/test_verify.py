"""``verify`` from a host's answers to a call of a server on loopback."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from exotelctl.doctor import bundle
from exotelctl.options import VerifyOptions
from exotelctl.verify import verb

from tests.unit.tools.doctor_facts import DEPLOYMENT, PORT, healthy

from .echo_server import running
from .tls_front import KEY, certificate, fronted


@pytest.mark.parametrize("told", ["a bundle", "a generation only"])
def test_a_server_that_takes_calls(told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> int:
        async with running() as server:
            listen = {"generation": "g1", "release": "0.1.0", "listen": f"127.0.0.1:{server.port}"}
            (tmp_path / "generation.json").write_text(json.dumps(listen))
            (tmp_path / "code").write_text("2\n")
            if told == "a bundle":
                facts = healthy(deployment=replace(DEPLOYMENT, port=server.port), port=replace(PORT, port=server.port))
                bundle.write(tmp_path / "bundle.tar", facts)
            return await asyncio.to_thread(verb.run, VerifyOptions(tmp_path, "127.0.0.1", 8000, 1.0, "voice-1"))

    assert asyncio.run(main()) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "✅ voice-1 takes calls"
    assert any(line.startswith("✅ a call of 1 s at 8000 Hz came back bit-exact") for line in out)
    assert any("were not looked at" in line for line in out) == (told != "a bundle")


@pytest.mark.parametrize(
    ("key", "lets_all_in", "host_ca", "ends"),
    [
        (KEY, False, True, "✅ voice-1 takes calls"),
        (KEY, True, True, "❌ voice-1 failed: a call without a key is refused"),
        (KEY, False, False, "❌ voice-1 failed: the server answers this machine at https://voice.example.com"),
        ("KEY:another-token", False, True, "❌ voice-1 failed: a call comes back bit-exact"),
    ],
)
def test_a_server_behind_an_edge(
    key: str, lets_all_in: bool, host_ca: bool, ends: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pem = certificate(tmp_path, "DNS:voice.example.com")
    (tmp_path / "chain.pem").write_text(pem.read_text())
    (tmp_path / "code").write_text("0\n")
    (tmp_path / "credential").write_text(f"{key}\n")

    async def main() -> int:
        async with running() as server, fronted(server.port, tmp_path, lets_all_in=lets_all_in) as port:
            deployed = replace(DEPLOYMENT, port=server.port, asks_credential=True)
            bundle.write(tmp_path / "bundle.tar", healthy(deployment=deployed, port=replace(PORT, port=server.port)))
            edge = {"domains": ["voice.example.com"], "certificate": "self_signed", "port": port, "keys_asked": True}
            (tmp_path / "edge.json").write_text(json.dumps(edge))
            options = VerifyOptions(tmp_path, "127.0.0.1", 8000, 1.0, "voice-1", host_ca=host_ca)
            return await asyncio.to_thread(verb.run, options)

    code = asyncio.run(main())
    out = capsys.readouterr().out.splitlines()
    assert any(line.startswith(ends) for line in out), out
    assert (code == 0) == ends.startswith("✅"), out
    if code == 0:
        assert "✅ a call with a wrong key is refused: 401" in out
        assert "✅ /metrics is not shown to this machine: 404" in out
        assert any("no public CA vouches for it" in line for line in out)
