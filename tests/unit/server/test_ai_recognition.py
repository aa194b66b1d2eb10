"""Order in which the utterances of all calls are recognised."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from typing import Any, cast

import pytest
from exotel_ws.ai.embedded.expected import Expected
from exotel_ws.ai.embedded.recognition import Recognition
from exotel_ws.ai.embedded.topic import Topic


class Thread(Executor):
    """Thread, or ``number`` of them, that ends the piece of work begun last whenever `finish` says so."""

    def __init__(self, number: int = 1) -> None:
        self._number = number
        self.begun: list[bytes] = []
        self.topics: list[Topic | None] = []
        self._work: list[Future[Any]] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert len(self._work) < self._number, "no more at a time"
        work: Future[Any] = Future()
        work.set_running_or_notify_cancel()
        pcm, topic = args
        self.begun.append(pcm)
        self.topics.append(topic)
        self._work.append(work)
        return work

    async def finish(self, text: str | Exception = "words") -> None:
        work = self._work.pop()
        if isinstance(text, Exception):
            work.set_exception(text)
        else:
            work.set_result(text)
        for _ in range(4):  # a thread's result comes by way of the loop
            await asyncio.sleep(0)


class NoRecogniser:
    def recognise(self, pcm: bytes, topic: Topic | None) -> str:
        raise AssertionError("only the thread does that")


def on_a_loop(told: Callable[[Recognition, Thread], Awaitable[None]]) -> Callable[[], None]:
    """Run a test on a loop, with a recognition and its thread."""

    async def with_parts() -> None:
        thread = Thread()
        await told(Recognition(NoRecogniser(), thread), thread)

    return lambda: asyncio.run(with_parts())


def test_with_two_threads_two_are_recognised_at_once_and_the_others_in_their_turn() -> None:
    async def test() -> None:
        thread = Thread(2)
        recognition = Recognition(NoRecogniser(), thread, 2)
        for pcm, over in ((b"runs", False), (b"too", False), (b"a guess", False), (b"ended", True)):
            recognition.ask(pcm, over=over)
        assert thread.begun == [b"runs", b"too"]
        await thread.finish()
        assert thread.begun[2:] == [b"ended"]
        await thread.finish()
        await thread.finish()
        assert thread.begun[3:] == [b"a guess"]

    asyncio.run(test())


@on_a_loop
async def test_what_has_ended_goes_before_what_may_go_on(recognition: Recognition, thread: Thread) -> None:
    for pcm, over in ((b"runs", False), (b"a guess", False), (b"first", True), (b"next", True)):
        recognition.ask(pcm, over=over)
    for _ in range(4):
        await thread.finish()
    assert thread.begun == [b"runs", b"first", b"next", b"a guess"]


@on_a_loop
async def test_a_nod_goes_before_longer_guesses(recognition: Recognition, thread: Thread) -> None:
    for pcm in (b"runs", b"a sentence", b"nod", b"a word"):
        recognition.ask(pcm, over=False)
    for _ in range(4):
        await thread.finish()
    assert thread.begun == [b"runs", b"nod", b"a word", b"a sentence"]


@on_a_loop
async def test_a_guess_that_was_right_waits_no_longer(recognition: Recognition, thread: Thread) -> None:
    _, right, _ = (recognition.ask(pcm, over=False) for pcm in (b"runs", b"a sentence", b"nod"))
    right.over = True
    await thread.finish()
    await thread.finish("right")
    assert thread.begun[:2] == [b"runs", b"a sentence"]
    assert await right.found == "right"


@on_a_loop
async def test_what_nobody_wants_is_never_begun(recognition: Recognition, thread: Thread) -> None:
    runs, waits, wanted = (recognition.ask(pcm, over=False) for pcm in (b"runs", b"waits", b"wanted"))
    runs.found.cancel()
    waits.found.cancel()
    await thread.finish()
    await thread.finish("heard")
    assert thread.begun == [b"runs", b"wanted"]
    assert await wanted.found == "heard"


@on_a_loop
async def test_a_failure_is_told_to_whom_it_concerns(recognition: Recognition, thread: Thread) -> None:
    fails, works = (recognition.ask(pcm, over=True) for pcm in (b"fails", b"works"))
    await thread.finish(ValueError("bad"))
    await thread.finish("heard")
    with pytest.raises(ValueError, match="bad"):
        await fails.found
    assert await works.found == "heard"


@on_a_loop
async def test_each_utterance_is_recognised_by_the_topic_of_its_bot(recognition: Recognition, thread: Thread) -> None:
    one, other = (Topic(cast(Expected, None), lambda _text: "nothing") for _ in range(2))
    for topic in (None, one, other):
        recognition.ask(b"speech", over=True, topic=topic)
    for _ in range(3):
        await thread.finish()
    assert thread.topics == [None, one, other]
