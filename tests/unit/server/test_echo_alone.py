"""Echo mode pays nothing for AI mode: nothing of it is loaded, installed or not."""

import subprocess
import sys

import pytest

HEAVY = (
    *("aiohttp", "hibari", "loguru", "moonshine_voice", "numpy", "onnxruntime", "openai", "pipecat", "pydantic", "rapidfuzz"),
    *("soxr", "yaml", "exotel_ws.ai.dialogue", "exotel_ws.ai.scripted.flow", "exotel_ws.ai.mode"),
)
PROBE = """
import sys
from exotel_ws import cli, modes, serve, settings
from exotel_ws.server import VoicebotServer
chosen = settings.check({{"mode": "echo", "engine": {engine!r}}})
VoicebotServer(chosen)
modes.check(chosen)
print("LOADED", *[name for name in {heavy!r} if name in sys.modules])
"""


@pytest.mark.parametrize("engine", ["picows", "websockets"])
def test_an_echo_server_loads_nothing_that_ai_mode_needs(engine: str) -> None:
    code = PROBE.format(engine=engine, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "LOADED"
