"""Every request that changes or computes something says by a key whether it is a new one."""

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from inference.client import EdgeClient, EdgePool
from tests.inference.client.conftest import ScriptedEdge, ToldInstead

BUSY: ToldInstead = (503, {"error": "busy", "code": "busy"}, {})
BROKEN: ToldInstead = (500, {"error": "it broke", "code": "internal"}, {})
FORM = re.compile(r"[0-9a-f]{32}")


async def test_all_tries_of_a_request_have_one_key(
    scripted: Callable[[], ScriptedEdge], frame: NDArray[np.uint8]
) -> None:
    """What is asked again carries the key and the body of the first try; what is asked anew another key."""
    async with scripted() as edge, EdgeClient(edge.url) as client:
        edge.instead = [BUSY, BUSY]
        await client.stylize(frame, "warm")
        await client.stylize(frame, "warm")
        first, second, third, other = edge.frames()
    assert first.key == second.key == third.key != other.key
    assert FORM.fullmatch(first.key or "") and FORM.fullmatch(other.key or "")
    assert first.body == second.body == third.body


async def test_what_changes_nothing_has_no_key(scripted: Callable[[], ScriptedEdge], photo_png: bytes) -> None:
    """Styles are put with a key, each with its own; reading needs none."""
    async with scripted() as edge, EdgeClient(edge.url) as client:
        await client.ready()
        await client.release()
        await client.presets()
        await client.put_style(photo_png)
        await client.put_style(photo_png)
    keys = [each.key for each in edge.asked]
    assert keys[:3] == [None, None, None] and None not in keys[3:] and len(set(keys)) == 3


async def test_a_key_goes_along_to_the_next_edge(
    scripted: Callable[[], ScriptedEdge], frame: NDArray[np.uint8]
) -> None:
    """A key frame that one edge failed on has the same key everywhere, so coming back costs no second computation."""
    async with scripted() as one, scripted() as other, EdgePool([one.url, other.url]) as pool:
        one.instead, other.instead = [BUSY], [BROKEN]
        await pool.stylize(frame, "warm")
        asked = one.frames() + other.frames()
        assert one.frames() and other.frames() and len(asked) == 3
        assert len({each.key for each in asked}) == 1
        await pool.stylize(frame, "warm")
    assert len({each.key for each in one.frames() + other.frames()}) == 2


async def test_a_style_that_was_missing_makes_a_new_request(
    scripted: Callable[[], ScriptedEdge], frame: NDArray[np.uint8], photo_png: bytes
) -> None:
    """An edge may repeat its answer to a key; once it has the style, that answer is no longer true."""
    async with scripted() as edge, EdgeClient(edge.url, patience=0) as client:
        style = await client.put_style(photo_png)
        edge.instead = [(404, {"error": "which?", "code": "unknown-style", "styles": [style]}, {})]
        await client.stylize(frame, style)
        before, after = edge.frames()
    assert before.key != after.key
