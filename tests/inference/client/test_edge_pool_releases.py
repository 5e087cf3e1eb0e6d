"""One look in one video: what several edges are to each other when their releases differ, or change on the way."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.client import EdgePool
from tests.inference.client.conftest import ScriptedEdge

Scripted = Callable[[], ScriptedEdge]
Picture = NDArray[np.uint8]


async def test_one_look_in_one_video(scripted: Scripted, frame: Picture) -> None:
    """Only edges with the release of the first that is well are asked; another is left out, and named."""
    notes = list[str]()
    async with scripted() as first, scripted() as other, scripted() as same:
        other.version, other.sha256 = "v2", 64 * "2"
        async with EdgePool([first.url, other.url, same.url], note=notes.append) as pool:
            await pool.ready()
            await asyncio.gather(*(pool.stylize(frame, "warm") for _ in range(9)))
            assert (await pool.release()).version == "v1"
    assert other.frames() == [] and len(first.frames()) + len(same.frames()) == 9
    assert len(notes) == 1 and other.url in notes[0] and "v2, not v1" in notes[0]


async def test_an_edge_whose_release_changes_is_left_out(scripted: Scripted) -> None:
    """A picture in the new look never gets into the video while another edge still has the old one."""
    notes = list[str]()
    old_look, new_look = np.full((48, 64, 3), 50, np.uint8), np.full((48, 64, 3), 200, np.uint8)
    async with scripted() as one, scripted() as other, EdgePool([one.url, other.url], note=notes.append) as pool:
        one.picture = other.picture = old_look
        await pool.ready()
        await asyncio.gather(*(pool.stylize(old_look, "warm") for _ in range(4)))
        one.version, one.sha256, one.picture = "v2", 64 * "2", new_look
        found = await asyncio.gather(*(pool.stylize(old_look, "warm") for _ in range(20)))
        asked = len(one.frames())
        await asyncio.gather(*(pool.stylize(old_look, "warm") for _ in range(8)))
        assert len(one.frames()) == asked
    assert {int(picture.mean().round()) for picture in found} == {50}
    assert len(notes) == 1 and one.url in notes[0] and "v2, not v1" in notes[0]


async def test_the_only_edge_changes_its_release(scripted: Scripted, frame: Picture) -> None:
    """Without another edge the video goes on in the new look, and a note says so, once."""
    notes = list[str]()
    async with scripted() as edge, EdgePool([edge.url], note=notes.append) as pool:
        await pool.ready()
        await pool.stylize(frame, "warm")
        edge.version, edge.sha256 = "v2", 64 * "2"
        await asyncio.gather(*(pool.stylize(frame, "warm") for _ in range(6)))
        assert (await pool.release()).version == "v2"
    assert len(notes) == 1 and edge.url in notes[0] and "v2" in notes[0] and "look may change" in notes[0]


async def test_another_name_for_the_same_release(scripted: Scripted, frame: Picture) -> None:
    """Only the content counts: an edge that calls its release something else is asked on, without a note."""
    async with scripted() as edge, EdgePool([edge.url], note=pytest.fail) as pool:
        await pool.ready()
        edge.version = "v1-again"
        for _ in range(3):
            await pool.stylize(frame, "warm")
    assert len(edge.frames()) == 3 and len([each for each in edge.asked if each.method == "GET"]) <= 4


async def test_a_rolling_upgrade(scripted: Scripted, frame: Picture) -> None:
    """Where one edge after the other gets a new release, the video ends, and both are asked in the end."""
    notes = list[str]()
    async with scripted() as one, scripted() as other, EdgePool([one.url, other.url], note=notes.append) as pool:
        await pool.ready()
        for edge in (one, other):
            edge.version, edge.sha256 = "v2", 64 * "2"
            await asyncio.gather(*(pool.stylize(frame, "warm") for _ in range(8)))
        before = len(one.frames()), len(other.frames())
        await asyncio.gather(*(pool.stylize(frame, "warm") for _ in range(8)))
        assert len(one.frames()) > before[0] and len(other.frames()) > before[1]
    assert len(notes) == 2


async def test_a_new_video_looks_at_all_edges_again(scripted: Scripted, frame: Picture) -> None:
    """What was left out of one video is taken into the next, if it fits."""
    notes = list[str]()
    async with scripted() as one, scripted() as other, EdgePool([one.url, other.url], note=notes.append) as pool:
        other.sha256 = 64 * "2"
        await pool.ready()
        await asyncio.gather(*(pool.stylize(frame, "warm") for _ in range(4)))
        assert other.frames() == []
        other.sha256 = one.sha256
        await pool.ready()
        await asyncio.gather(*(pool.stylize(frame, "warm") for _ in range(4)))
        assert other.frames() != []
