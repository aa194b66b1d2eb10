"""A connection goes to the named and checked server, and nowhere else."""

import asyncio
import dataclasses
from http import HTTPStatus

import pytest
from exotel_phone.dial import dial
from exotel_phone.reach import Fault, Unreachable
from exotel_phone.target import parse
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from .echo_server import running


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("locations", "named"),
    [
        (["ws://127.0.0.2:PORT/evil"], "redirects to 127.0.0.2"),
        (["/elsewhere"], "redirects to 127.0.0.1"),
        (["ws://[oops"], "redirects to a place it does not name"),
        ([], "redirects to a place it does not name"),
        (["ws://127.0.0.2:PORT/", "ws://127.0.0.3:PORT/"], "redirects to 127.0.0.2"),
    ],
)
def test_a_redirect_is_not_followed_but_named(status: int, locations: list[str], named: str) -> None:
    async def main() -> str:
        async with running() as foreign:

            def redirect(ws: ServerConnection, _: Request) -> Response:
                response = ws.respond(HTTPStatus(status), "")
                for location in locations:
                    response.headers["Location"] = location.replace("PORT", str(foreign.port))
                return response

            async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=redirect) as server:
                port = server.sockets[0].getsockname()[1]
                with pytest.raises(Unreachable) as error:
                    await dial(parse(f"ws://127.0.0.1:{port}/voice"))
            assert not foreign.requests
            assert error.value.fault.kind == "redirect"
            return error.value.fault.cause

    assert named in asyncio.run(main())


@pytest.mark.parametrize("status", [401, 403])
def test_a_credential_that_is_not_taken_is_compared_and_one_that_lacks_is_given(status: int) -> None:
    async def refused(user: str) -> Fault:
        def refuse(ws: ServerConnection, _: Request) -> Response:
            return ws.respond(HTTPStatus(status), "This key is not known")

        async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=refuse) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(Unreachable) as error:
                await dial(parse(f"ws://{user}127.0.0.1:{port}"))
        return error.value.fault

    without, wrong = (asyncio.run(refused(user)).next for user in ("", "exotel:hush@"))
    assert "give the credential" in without
    assert "compare the credential" in wrong
    assert "sudo exotelctl url --with-key" in wrong
    assert "hush" not in wrong


def test_the_checked_address_is_taken_whatever_the_name_says_now() -> None:
    """Only checked addresses are dialled, the next if one does not answer, whatever the name resolves to now."""

    async def main() -> str:
        async with running() as server:
            target = parse(f"ws://calls.invalid:{server.port}/voice")
            ws = await dial(dataclasses.replace(target, addresses=("127.0.0.9", "127.0.0.1")))
            await ws.close()
            return server.requests[0].headers["Host"].partition(":")[0]

    assert asyncio.run(main()) == "calls.invalid"
