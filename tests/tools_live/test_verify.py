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
