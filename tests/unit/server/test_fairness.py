"""Parts of admission, each by itself: crowds, samplers of log lines, and scrapes of metrics."""

import asyncio
from collections import Counter

from exotel_ws.admission.crowd import Crowd
from exotel_ws.admission.sampler import Sampler
from exotel_ws.metrics.scrapes import Scrapes
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=200))
def test_a_crowd_knows_who_holds_most(steps: list[tuple[int, int]]) -> None:
    """A crowd knows its largest owner, as a plain count does; each step gives a place to an owner, or takes it back."""
    crowd: Crowd[int, int] = Crowd()
    owners: dict[int, int] = {}
    for owner, place in steps:
        if place in owners:
            crowd.remove(place)
            del owners[place]
        else:
            crowd.add(owner, place)
            owners[place] = owner
        held = Counter(owners.values())
        assert len(crowd) == len(owners)
        largest = crowd.largest()
        assert (largest is None) == (not owners)
        if largest is not None:
            assert crowd.count(largest) == max(held.values())
            assert crowd.oldest(largest) == next(place for place, owner in owners.items() if owner == largest)


def test_a_sampler_lets_some_through_and_counts_the_rest() -> None:
    sampler = Sampler(10.0, burst=3)
    assert [sampler.due("a", 0.0) for _ in range(5)] == [0, 0, 0, None, None]
    assert sampler.due("b", 0.0) == 0
    assert [sampler.due("a", 10.0), sampler.due("a", 10.0)] == [2, None]
    for kind in range(5000):
        sampler.due(kind, 11.0)
    assert sampler.due("a", 11.0) == 0, "it was forgotten, so that the table stays small"


def test_many_scrapes_share_few_looks_and_each_sees_what_was_before_it() -> None:
    async def story() -> None:
        counted = published = 0

        def publish() -> None:
            nonlocal published
            published = counted

        scrapes = Scrapes(publish, lambda: str(published), 0.05)
        for _ in range(3):
            counted += 1
            texts = await asyncio.gather(*(scrapes.text() for _ in range(300)))
            assert set(texts) == {str(counted)}
        assert scrapes.computed == 3
        # One that asks while a look is under way waits for the next.
        asking = asyncio.create_task(scrapes.text())
        await asyncio.sleep(0.06)
        counted += 1
        assert await scrapes.text() == str(counted)
        await asking

    asyncio.run(story())


def test_who_leaves_does_not_take_the_look_along() -> None:
    async def story() -> None:
        scrapes = Scrapes(lambda: None, lambda: "text", 0.05)
        await scrapes.text()
        leaving, staying = asyncio.create_task(scrapes.text()), asyncio.create_task(scrapes.text())
        await asyncio.sleep(0)
        leaving.cancel()
        assert await staying == "text"

    asyncio.run(story())
