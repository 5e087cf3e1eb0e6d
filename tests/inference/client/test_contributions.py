"""Key frames that are offered for training, and what an edge has of them."""

from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from aiohttp import web
from numpy.typing import NDArray

from inference.client import EdgeClient, EdgePool
from mvstylizer.errors import EdgeError, UsageError
from tests.inference.client.conftest import ScriptedEdge

CONTRIBUTOR = 16 * "ab"


@pytest.fixture
async def store() -> AsyncIterator[tuple[str, dict[str, object]]]:
    """A server that keeps three frames of one contributor; gives its URL, and what it answers."""
    kept: dict[str, object] = {"frames": 3, "bytes": 900}

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.match_info["id"] == CONTRIBUTOR
        if request.method == "GET":
            return web.json_response(kept)
        assert len(request.headers["Idempotency-Key"]) == 32
        return web.json_response({"deleted": kept["frames"]})

    app = web.Application()
    app.router.add_get("/v1/contributions/{id}", handler)
    app.router.add_delete("/v1/contributions/{id}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", kept
    await runner.cleanup()


async def test_only_who_contributes_says_who_it_is(
    scripted: Callable[[], ScriptedEdge], frame: NDArray[np.uint8], photo_png: bytes
) -> None:
    """The contributor's id goes with key frames and nothing else; by default not even with these."""
    async with scripted() as edge:
        for contributor in (None, CONTRIBUTOR):
            async with EdgeClient(edge.url, contributor=contributor) as client:
                await client.put_style(photo_png)
                await client.stylize(frame, "warm")
    assert [each.headers.get("Contributor") for each in edge.asked] == [None, None, None, CONTRIBUTOR]


@pytest.mark.parametrize("contributor", ["", "me", 32 * "g", 33 * "a", 32 * "A"])
def test_what_is_no_contributor(contributor: str) -> None:
    """An id is 32 hex digits: nobody's name gets into it by mistake."""
    with pytest.raises(UsageError, match="32 lower-case hex digits"):
        EdgeClient("http://127.0.0.1", contributor=contributor)


async def test_what_is_kept_can_be_asked_and_deleted(store: tuple[str, dict[str, object]]) -> None:
    """A contributor learns how much an edge has, and has it deleted; of several edges, all that they have."""
    url, _ = store
    async with EdgeClient(url, contributor=CONTRIBUTOR) as client:
        assert await client.contributions() == {"frames": 3, "bytes": 900}
        assert await client.delete_contributions() == 3
    async with EdgePool([url, url + "/", url.replace("127.0.0.1", "localhost")], contributor=CONTRIBUTOR) as pool:
        assert await pool.contributions() == {"frames": 6, "bytes": 1800}
        assert await pool.delete_contributions() == 6


async def test_asking_needs_an_id() -> None:
    """Without an id there is nothing to ask for."""
    async with EdgeClient("http://127.0.0.1:9") as client:
        with pytest.raises(UsageError, match="contributor's id"):
            await client.contributions()
        with pytest.raises(UsageError, match="contributor's id"):
            await client.delete_contributions()


@pytest.mark.parametrize("frames", [-1, "3", None, True, 0.5])
async def test_counts_that_are_none(store: tuple[str, dict[str, object]], frames: object) -> None:
    """An answer without a count is an EdgeError, not a number that somebody believes."""
    url, kept = store
    kept["frames"] = frames
    async with EdgeClient(url, contributor=CONTRIBUTOR) as client:
        with pytest.raises(EdgeError, match="garbage"):
            await client.contributions()
        with pytest.raises(EdgeError, match="garbage"):
            await client.delete_contributions()


async def test_an_edge_that_keeps_nothing_is_noted_once(
    scripted: Callable[[], ScriptedEdge], frame: NDArray[np.uint8]
) -> None:
    """Who offers key frames to an edge that does not collect any is told so, once; all answers are counted."""
    notes = list[str]()
    async with scripted() as edge, EdgePool([edge.url], contributor=CONTRIBUTOR, note=notes.append) as pool:
        for outcome in ("refused", "refused", "kept", "duplicate"):
            edge.reply_headers = {"Contribution": outcome}
            await pool.stylize(frame, "warm")
    assert pool.contributed == {"refused": 2, "kept": 1, "duplicate": 1}
    assert len(notes) == 1 and edge.url in notes[0] and "--contribute" in notes[0]
