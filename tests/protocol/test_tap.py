"""The tap on the admin socket shows calls, keeps secrets to itself, and no call notices it."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone, payload
from .process import ServerProcess, eventually, fetch_unix
from .tapping import Tap, texts

TOKEN = "correct-horse-battery"


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Path:
    return tmp_path_factory.mktemp("tap") / "20261122T101500-ab12cd34-1.sock"


@pytest.fixture(scope="module")
def instance(session_server: StartServer, admin: Path) -> ServerProcess:
    return session_server({}, "--instance", admin.stem, "--admin-socket", str(admin))


async def call(server: ServerProcess, sid: str, frames: list[bytes], **start: object) -> tuple[list[str], list[str]]:
    """Place a whole call, await each message, and return the texts sent and received."""
    sent = [wire.connected(), wire.start(sid, **start), *(wire.media(pcm, sid, chunk=n) for n, pcm in enumerate(frames, 1))]
    sent += [wire.mark("end", sid), wire.stop(sid)]
    heard = []
    async with Phone(server.url()) as phone:
        for text in sent:
            await phone.send(text)
            if '"media"' in text or '"mark"' in text:
                async with asyncio.timeout(10):
                    heard.append(str(await phone.socket.recv()))
    return sent, heard


def test_every_message_of_a_call_as_on_the_wire(instance: ServerProcess, admin: Path) -> None:
    before = time.time()
    with Tap(admin) as tap:
        sent, heard = asyncio.run(call(instance, "tap-wire", wire.audio(5)))
        records = tap.until_closed()
    first, opening, *messages, close = records
    assert (first["type"], first["version"], first["instance"], first["release"]) == ("capture", 1, admin.stem, "unreleased")
    assert (first["audio"], first["masked"], first["filter"]) == ("keep", False, {})
    assert (opening["type"], opening["remote"], opening["rate_asked"]) == ("open", "127.0.0.1", "8000")
    assert "joined" not in opening
    assert texts(records, "exotel") == sent
    assert texts(records, "server") == heard
    assert (close["ended"], close["code"]) == ("stop", 1006)
    times = [record["at"] for record in records[1:]]
    assert times == sorted(times)
    assert before - 1 < times[0] < time.time() + 1
    assert {record["conn"] for record in records[1:]} == {opening["conn"]}
    # The tap reports an echo right behind its frame.
    assert [record["from"] for record in messages] == ["exotel", "exotel", *["exotel", "server"] * 6, "exotel"]


@pytest.mark.parametrize("named", ["call_sid", "stream_sid", "number", "number-end"])
def test_only_what_was_asked_for(named: str, instance: ServerProcess, admin: Path) -> None:
    mine = {"sid": f"tap-mine-{named}", "call_sid": f"call-{named}", "from_": "09000012345"}
    query = {
        "call_sid": f"call={mine['call_sid']}",
        "stream_sid": f"call={mine['sid']}",
        "number": f"number={mine['from_']}",
        "number-end": "number=12345",
    }[named]
    with Tap(admin, query) as tap:
        asyncio.run(call(instance, "tap-other", wire.audio(2), call_sid="another"))
        sid, call_sid, from_ = mine.values()
        sent, _ = asyncio.run(call(instance, sid, wire.audio(2), call_sid=call_sid, from_=from_))
        records = tap.until_closed()
    assert [record["type"] for record in records[:2]] == ["capture", "open"]
    assert texts(records, "exotel") == sent, "its beginning too, from before it was known"
    assert len({record["conn"] for record in records[1:]}) == 1


def test_the_next_calls_and_then_the_end(instance: ServerProcess, admin: Path) -> None:
    async def main() -> None:
        async with Phone(instance.url()) as early:
            await early.open("tap-early")
            await early.echo_of(bytes(320), "tap-early")
            with Tap(admin, "next=2") as tap:
                for sid in ("tap-next-1", "tap-next-2", "tap-next-3"):
                    await call(instance, sid, wire.audio(2))
                records = await asyncio.to_thread(list, tap)
        starts = [json.loads(text)["stream_sid"] for text in texts(records, "exotel") if '"start"' in text]
        assert starts == ["tap-next-1", "tap-next-2"]
        end = records[-1]
        assert (end["type"], end["complete"], end["calls"]) == ("end", True, 2)
        assert end["messages"] == len(texts(records, "exotel")) + len(texts(records, "server"))

    asyncio.run(main())


def test_of_two_calls_at_once_the_one_that_started_first_is_the_next(instance: ServerProcess, admin: Path) -> None:
    async def main() -> None:
        async with Phone(instance.url()) as first, Phone(instance.url()) as second:
            with Tap(admin, "next=1") as tap:
                await second.send(wire.connected())
                await first.open("tap-first")
                await first.in_order()
                await second.open("tap-second")
                for phone, sid in ((second, "tap-second"), (first, "tap-first")):
                    await phone.in_order()
                    await phone.send(wire.stop(sid))
                    phone.drop()
                records = await asyncio.to_thread(list, tap)
        assert "tap-first" in json.dumps(records)
        assert "tap-second" not in json.dumps(records)
        assert (records[-1]["complete"], records[-1]["calls"]) == (True, 1)

    asyncio.run(main())


def test_a_connection_that_never_starts_is_told_to_who_waits_for_the_next(instance: ServerProcess, admin: Path) -> None:
    async def main() -> None:
        async with Phone(instance.url()) as phone:
            await phone.send(wire.connected())
            await asyncio.sleep(0.1)

    with Tap(admin, "next=1") as tap:
        asyncio.run(main())
        records = tap.until_closed()
        assert records[-1]["ended"] == "no_start"
        asyncio.run(call(instance, "tap-after-no-start", []))
        assert list(tap)[-1]["calls"] == 2, "it does not count as the call that was waited for"


def test_a_call_that_was_there_before_is_said_to_be_joined(instance: ServerProcess, admin: Path) -> None:
    async def main() -> None:
        async with Phone(instance.url()) as phone:
            await phone.open("tap-joined", call_sid="joined-call")
            await phone.echo_of(bytes(320), "tap-joined")
            with Tap(admin, "call=joined-call") as tap:
                opening = (await asyncio.to_thread(tap.until, lambda record: record["type"] == "open"))[-1]
                await phone.echo_of(bytes(320), "tap-joined", chunk=2)
                await phone.send(wire.stop("tap-joined"))
                phone.drop()
                records = await asyncio.to_thread(tap.until_closed)
        assert opening["joined"] is True
        assert (opening["call_sid"], opening["stream_sid"]) == ("joined-call", "tap-joined")
        assert (opening["from"], opening["to"]) == ("09876543210", "02012345678")
        assert [json.loads(text)["event"] for text in texts(records, "exotel")] == ["media", "stop"]

    asyncio.run(main())


def test_a_reader_that_is_too_slow_loses_messages_and_the_call_loses_none(instance: ServerProcess, admin: Path) -> None:
    """A reader that is too slow loses messages, and is told so, while the call gets all of its ten megabytes of echo."""
    frames = wire.audio(120, size=64_000)

    async def main() -> list[bytes]:
        async with Phone(instance.url()) as phone:
            await phone.open("tap-slow")
            heard = await phone.converse(frames, "tap-slow")
            await phone.send(wire.stop("tap-slow"))
            return heard

    with Tap(admin, "next=1") as tap:
        assert asyncio.run(main()) == frames
        records = list(tap)
    gaps = [record for record in records if record["type"] == "gap"]
    lost = sum(record["messages"] for record in gaps)
    told = len(texts(records, "exotel")) + len(texts(records, "server"))
    assert lost > 0
    assert told + lost == 2 * len(frames) + 3
    assert all(sum(record["conns"].values()) == record["messages"] for record in gaps)
    assert gaps[0]["at"] < records[-1]["at"]
    assert (records[-1]["type"], records[-1]["complete"], records[-1]["messages"]) == ("end", False, told)
    assert records[-2]["type"] == "close", "how the call ended is told all the same"


def test_noise_for_speech_and_nothing_for_speech(instance: ServerProcess, admin: Path) -> None:
    frames = wire.audio(3)
    with Tap(admin, "call=tap-noise&audio=noise") as noise, Tap(admin, "call=tap-noise&audio=omit") as omitted:
        sent, _ = asyncio.run(call(instance, "tap-noise", frames))
        noisy, bare = noise.until_closed(), omitted.until_closed()
    for side in ("exotel", "server"):
        heard = [payload(json.loads(text)) for text in texts(noisy, side) if '"media"' in text]
        assert [len(pcm) for pcm in heard] == [320] * 3
        assert not set(heard) & set(frames)
    assert [len(text) for text in texts(noisy, "exotel")] == [len(text) for text in sent]
    echoes = [
        [json.loads(text)["media"]["payload"] for text in texts(noisy, side) if '"media"' in text]
        for side in ("exotel", "server")
    ]
    assert echoes[0] == echoes[1], "an echo stays an echo"
    media = [record for record in bare if '"media"' in record.get("text", "") and "payload" in record["text"]]
    assert len(media) == 6
    assert all(record["omitted"] == 428 and '"payload":""' in record["text"] for record in media)


def test_numbers_and_keys_are_masked_where_asked(instance: ServerProcess, admin: Path) -> None:
    async def main() -> None:
        async with Phone(instance.url()) as phone:
            await phone.open("tap-mask", custom_parameters={"caller": "x", "who": "09876543210"})
            await phone.send(wire.dtmf("7", "tap-mask"))
            await phone.in_order()

    with Tap(admin, "call=tap-mask&mask=1") as tap:
        asyncio.run(main())
        told = json.dumps(tap.until_closed())
    for number in ("9876543210", "2012345678"):
        assert number not in told
    assert '\\"digit\\":\\"0\\"' in told


def test_parameters_leave_the_worker_only_where_asked(instance: ServerProcess, admin: Path) -> None:
    with Tap(admin, "call=tap-plan") as tap, Tap(admin, "call=tap-plan&parameters=1") as keeping:
        sent, heard = asyncio.run(
            call(instance, "tap-plan", wire.audio(1), custom_parameters={"plan": "gold", "sample-rate": "8000"})
        )
        hidden, kept = tap.until_closed(), keeping.until_closed()
    assert ("parameters" in hidden[0], kept[0]["parameters"]) == (False, True)
    assert texts(kept, "exotel") == sent
    assert texts(hidden, "exotel") == [text.replace('"plan":"gold"', '"xxxx":"xxxx"') for text in sent]
    assert texts(hidden, "server") == texts(kept, "server") == heard


@pytest.mark.parametrize("query", ["", "parameters=1"], ids=["default", "parameters"])
@pytest.mark.parametrize("where", ["header", "parameters", "mangled", "named"])
def test_no_credential_leaves_the_worker(where: str, query: str, start_server: StartServer, tmp_path: Path) -> None:
    secrets, admin = tmp_path / "credentials", tmp_path / "a.sock"
    secrets.write_text(f"exotel:{TOKEN}\n")
    server = start_server({"auth": {"required": True, "credential": str(secrets)}}, "--admin-socket", str(admin))
    parameters = {
        "header": {"plan": "gold"},
        "parameters": {"plan": "gold", "who": TOKEN},
        "mangled": {f"plan=gold&token={TOKEN}=": ""},
        "named": {"plan": "gold", "token": f"exotel:{TOKEN}"},
    }[where]

    async def main() -> None:
        async with Phone(server.url(credential=f"exotel:{TOKEN}" if where == "header" else "")) as phone:
            await phone.open("tap-secret", custom_parameters=parameters)
            await phone.send(wire.mark(f"m-{TOKEN}", "tap-secret"))
            await phone.receive()
            await phone.send(wire.stop("tap-secret"))

    with Tap(admin, query) as tap:
        asyncio.run(main())
        records = tap.until_closed()
    told = json.dumps(records)
    assert TOKEN not in told
    assert "Authorization" not in told
    assert ("gold" in told) is (bool(query) and where != "mangled")
    assert f'"{"x" * len(f"m-{TOKEN}")}"' in texts(records, "server")[0]


@pytest.mark.parametrize(
    "query", ["audio=loud", "next=-1", "next=x", f"next={'9' * 5000}", "mask=2", "parameters=x", "mask=1&parameters=1", "cal=abc"]
)
def test_what_makes_no_sense_is_refused(query: str, instance: ServerProcess, admin: Path) -> None:
    status, answer = fetch_unix(admin, f"/tap?{query}")
    assert status == 400
    assert "audio=keep|noise|omit" in answer["error"]


def test_clients_that_leave_are_forgotten_and_there_are_not_too_many(instance: ServerProcess, admin: Path) -> None:
    taps = [Tap(admin) for _ in range(8)]
    assert fetch_unix(admin, "/tap")[0] == 400
    for tap in taps:
        tap.__exit__(None, None, None)

    def admitted() -> bool:
        with Tap(admin) as tap:
            return tap.status == 200

    eventually(admitted, "a place is free")
    _, heard = asyncio.run(call(instance, "tap-after", wire.audio(2)))
    assert len(heard) == 3
    assert "Traceback" not in instance.log()


def test_a_worker_that_ends_says_so(start_server: StartServer, tmp_path: Path) -> None:
    admin = tmp_path / "a.sock"
    server = start_server({"drain": {"grace_s": 0}}, "--admin-socket", str(admin))

    async def main() -> list[dict[str, object]]:
        with Tap(admin) as tap:
            async with Phone(server.url()) as phone:
                await phone.open("tap-drain")
                await phone.in_order()
                server.process.terminate()
                await asyncio.sleep(0.3)
                await phone.send(wire.stop("tap-drain"))
            return await asyncio.to_thread(list, tap)

    records = asyncio.run(main())
    assert [record["type"] for record in records[-2:]] == ["close", "end"]
    assert (records[-1]["complete"], records[-1]["why"]) == (True, "the worker has drained")
    assert server.ended() == 0
