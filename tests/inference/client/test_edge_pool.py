"""Several edges as one, against edges that are quick, slow, busy, silent, gone, or of another release."""

import asyncio
import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.client import EdgeClient, EdgePool
from inference.serve import listening
from inference.stylizer import Stylizer
from mvstylizer.errors import EdgeError, InputError, UsageError
from tests.inference.client.conftest import ScriptedEdge, ToldInstead, bad_network, styles_of

BUSY: ToldInstead = (503, {"error": "all full", "code": "busy"}, {"Retry-After": "1"})
BROKEN: ToldInstead = (500, {"error": "it broke", "code": "internal"}, {})
REFUSED: ToldInstead = (422, {"error": "no such size", "code": "bad-parameter"}, {})

Scripted = Callable[[], ScriptedEdge]
Picture = NDArray[np.uint8]


async def test_one_after_the_other_does_the_same(
    stylizer: Stylizer, photo: Picture, photo_png: bytes, frame: Picture
) -> None:
    """Two real edges give what one gives, exactly, and both of them get to know the style before it is asked for."""
    expected = stylizer.stylize(frame, stylizer.encode_style(photo))
    async with (
        listening(stylizer) as (url, _),
        listening(stylizer) as (other, _),
        EdgePool([url, other, url + "/"]) as pool,
    ):
        assert pool.urls == [url, other]
        await pool.ready()
        assert (await pool.release()).sha256 == stylizer.sha256
        assert await pool.presets() == list(stylizer.presets)
        style = await pool.put_style(photo_png)
        while not [style] == await styles_of(url) == await styles_of(other):
            await asyncio.sleep(0.01)
        found = await asyncio.gather(*(pool.stylize(frame, style, form="png") for _ in range(6)))
    for picture in found:
        np.testing.assert_array_equal(picture, expected)


async def test_the_quicker_edge_gets_more(scripted: Scripted, frame: Picture) -> None:
    """Work goes where it is done first; the slow edge still helps while the quick one has its hands full."""
    async with scripted() as quick, scripted() as slow:
        quick.seconds, slow.seconds = 0.02, 0.1
        async with EdgePool([slow.url, quick.url]) as pool:
            await pool.ready()
            slots = asyncio.Semaphore(4)

            async def one() -> None:
                async with slots:
                    await pool.stylize(frame, "warm")

            await asyncio.gather(*(one() for _ in range(60)))
    assert len(quick.frames()) + len(slow.frames()) == 60
    assert 0 < len(slow.frames()) < len(quick.frames()) / 2


async def test_a_failure_costs_no_patience_while_another_is_well(scripted: Scripted, frame: Picture) -> None:
    """What one edge fails on goes to the next at once, even without any patience; the failed one is left alone."""
    async with scripted() as one, scripted() as other, EdgePool([one.url, other.url], patience=0) as pool:
        await pool.ready()
        one.instead, one.for_ever = [BROKEN], True
        await asyncio.gather(*(pool.stylize(frame, "warm") for _ in range(12)))
    assert len(other.frames()) == 12 and 1 <= len(one.frames()) < 12


async def test_a_busy_edge_is_left_alone_as_long_as_it_asks(scripted: Scripted, frame: Picture) -> None:
    """Retry-After is honoured by all requests together, and then the edge is asked again."""
    async with scripted() as edge, EdgePool([edge.url]) as pool:
        await pool.ready()
        edge.instead = [BUSY]
        begun = time.monotonic()
        first = asyncio.create_task(pool.stylize(frame, "warm"))
        await asyncio.sleep(0.3)
        await asyncio.gather(first, *(pool.stylize(frame, "warm") for _ in range(5)))
        assert time.monotonic() - begun >= 1
        assert len(edge.frames()) == 7


async def test_longer_than_patience(scripted: Scripted, frame: Picture) -> None:
    """An edge that asks for more time than there is patience is given up at once, saying what it said."""
    async with scripted() as edge, EdgePool([edge.url], patience=5) as pool:
        await pool.ready()
        edge.instead = [(503, BUSY[1], {"Retry-After": "3600"})]
        begun = time.monotonic()
        with pytest.raises(EdgeError, match="all full"):
            await pool.stylize(frame, "warm")
        assert time.monotonic() - begun < 4


async def test_nobody_there(dead_url: str, frame: Picture) -> None:
    """Where none of several answers, the error comes within patience, counts them and names one."""
    begun = time.monotonic()
    async with EdgePool([dead_url, dead_url.replace("127.0.0.1", "localhost")], patience=0.5) as pool:
        with pytest.raises(EdgeError, match=rf"none of 2 edges.*{dead_url}.*mvstylizer serve"):
            await pool.stylize(frame, "warm")
    assert time.monotonic() - begun < 3


async def test_patience_is_spent_once(scripted: Scripted, frame: Picture) -> None:
    """An edge that always comes back and always fails is not asked for ever, nor in a busy loop."""
    async with scripted() as edge, EdgePool([edge.url], patience=1.5) as pool:
        await pool.ready()
        edge.instead, edge.for_ever = [BROKEN], True
        begun = time.monotonic()
        with pytest.raises(EdgeError, match="it broke"):
            await pool.stylize(frame, "warm")
        assert time.monotonic() - begun < 4
    assert 2 <= len(edge.frames()) <= 20


async def test_a_failed_edge_comes_back(scripted: Scripted, frame: Picture) -> None:
    """One that is well again is asked again, after a health check that no key frame waits for."""
    async with scripted() as one, scripted() as other, EdgePool([one.url, other.url]) as pool:
        await pool.ready()
        one.instead, other.instead = [BUSY], [BUSY]
        await pool.stylize(frame, "warm")
        other.seconds = 0.1
        asked_before = len(one.frames())
        deadline = time.monotonic() + 10
        while len(one.frames()) == asked_before and time.monotonic() < deadline:
            await pool.stylize(frame, "warm")
        assert len(one.frames()) > asked_before
        assert "/v2/health/ready" in [each.path for each in one.asked]


async def test_the_request_itself_is_refused(scripted: Scripted, frame: Picture) -> None:
    """What the only edge refuses is an error at once, and the next request is asked all the same."""
    async with scripted() as edge, EdgePool([edge.url]) as pool:
        await pool.ready()
        edge.instead = [REFUSED]
        with pytest.raises(EdgeError, match="no such size"):
            await pool.stylize(frame, "warm")
        await pool.stylize(frame, "warm")
    assert len(edge.frames()) == 2


@pytest.mark.slow
async def test_an_edge_that_takes_for_ever(scripted: Scripted, frame: Picture) -> None:
    """A key frame that is long overdue at one edge is given to another, without waiting for the whole timeout."""
    async with scripted() as one, scripted() as other, EdgePool([one.url, other.url], timeout=60) as pool:
        await pool.ready()
        one.seconds = 30
        begun = time.monotonic()
        await asyncio.gather(*(pool.stylize(frame, "warm") for _ in range(4)))
        assert time.monotonic() - begun < 20
    assert 1 <= len(one.frames()) <= 2 and len(other.frames()) == 4


# Odd ones


async def test_a_server_that_is_no_edge(scripted: Scripted, frame: Picture) -> None:
    """Beside a sound edge, an address where something else answers is left out with a note; alone it is an error."""
    notes = list[str]()
    async with scripted() as edge, scripted() as no_edge:
        no_edge.sha256 = ""
        async with EdgePool([no_edge.url, edge.url], note=notes.append) as pool:
            await pool.stylize(frame, "warm")
        async with EdgePool([no_edge.url]) as pool:
            begun = time.monotonic()
            with pytest.raises(EdgeError, match="garbage"):
                await pool.ready()
            assert time.monotonic() - begun < 3
    assert len(notes) == 1 and no_edge.url in notes[0]


async def test_a_photo_that_is_refused(stylizer: Stylizer) -> None:
    """A style photo that an edge cannot read is the input's fault, however many edges there are."""
    async with listening(stylizer) as (url, _), listening(stylizer) as (other, _), EdgePool([url, other]) as pool:
        with pytest.raises(InputError, match="refuses the style photo"):
            await pool.put_style(b"no picture")


async def test_a_garbled_line_is_not_the_edge(stylizer: Stylizer, photo_png: bytes, frame: Picture) -> None:
    """Garbage from an edge that has been well is a bad moment of the line: it passes, and the work is done."""
    async with listening(stylizer) as (url, _):
        with bad_network(url) as proxy:
            async with EdgePool([proxy.url]) as pool:
                style = await pool.put_style(photo_png)
                proxy.garbage = True
                task = asyncio.create_task(pool.stylize(frame, style))
                await asyncio.sleep(0.5)
                assert not task.done()
                proxy.garbage = False
                assert (await task).shape == frame.shape


def test_no_edge_at_all() -> None:
    """At least one address is needed, and each must be one."""
    with pytest.raises(UsageError, match="no edge"):
        EdgePool([])
    with pytest.raises(UsageError, match="no address"):
        EdgePool(["http://127.0.0.1", "edge.local"])


async def test_an_edge_that_left_while_the_pool_closes(scripted: Scripted, frame: Picture) -> None:
    """Closing does not wait for edges that are looked after."""
    async with scripted() as edge:
        async with EdgePool([edge.url, "http://127.0.0.1:9"]) as pool:
            await pool.stylize(frame, "warm")
            begun = time.monotonic()
        assert time.monotonic() - begun < 1
        assert [task for task in asyncio.all_tasks() if "_bring_back" in repr(task)] == []
        async with EdgeClient(edge.url) as client:
            await client.ready()


async def test_the_last_edge_is_not_flooded(scripted: Scripted, frame: Picture) -> None:
    """However many key frames wait, no edge gets more at a time than it would alone, so that it need not refuse any."""
    async with scripted() as one, scripted() as other, EdgePool([one.url, other.url], connections=3) as pool:
        one.seconds = other.seconds = 0.05
        await pool.ready()
        work = [asyncio.create_task(pool.stylize(frame, "warm")) for _ in range(24)]
        await asyncio.sleep(0.2)
        one.instead, one.for_ever = [BROKEN], True
        await asyncio.gather(*work)
    assert one.most_at_a_time == 3 and other.most_at_a_time == 3
