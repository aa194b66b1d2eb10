"""Test a release: start the real server on a free port of 127.0.0.1, ask for its health, and make a short call to it."""

import asyncio
import json

import msgspec
from websockets.exceptions import WebSocketException

from exotel_ws import engines, modes, sockets
from exotel_ws.modespec import SelfTest, SelfTestError
from exotel_ws.server import VoicebotServer
from exotel_ws.settings import Auth, Settings


def self_test(settings: Settings) -> str:
    """Test this release; return a sentence on what that has proven. Raises `SelfTestError`, or `SettingsError`.

    Credentials and proxies are not asked for: they belong to the host, not to the release. Once started, echo mode takes 10
    seconds at most, AI mode 60.
    """
    modes.check(settings)
    alone = msgspec.structs.replace(settings, auth=Auth(), paths=[], proxy_protocol=False)
    test = modes.find(settings.mode).self_test(alone)
    engines.run(settings.engine, _run(test))
    return test.shown


async def _run(test: SelfTest) -> None:
    server = VoicebotServer(test.settings, instance="self-test")
    listeners = sockets.bind("127.0.0.1", 0)
    port = listeners[0].getsockname()[1]
    await server.start(listeners)
    try:
        async with asyncio.timeout(test.timeout_s):
            await _check_health(port, server.health())
            await test.call(port)
    except TimeoutError:
        raise SelfTestError(f"no answer within {test.timeout_s:g} s") from None
    except (OSError, ValueError, WebSocketException) as error:
        raise SelfTestError(f"the call broke: {error}") from None
    finally:
        await server.close()


async def _check_health(port: int, expected: dict[str, str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    if b" 200 " not in head.split(b"\r\n")[0] or json.loads(body or b"{}") != expected:
        raise SelfTestError(f"/health answered {head.splitlines()[:1]} {body!r}")
