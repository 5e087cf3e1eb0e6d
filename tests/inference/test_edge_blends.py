"""Blends and presets over HTTP: what an edge answers, and how clients ask for it and cope with one that forgets."""

import hashlib

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from numpy.typing import NDArray

from inference.client import EdgeStylizer
from inference.client.edge_client import EdgeClient, style_query
from inference.limits import Limits
from inference.serve import listening
from inference.stylizer import Stylizer
from mvstylizer.errors import EdgeError, UsageError
from mvstylizer.pictures import decode_picture, encode_png
from mvstylizer.styles import Part, Style
from tests.inference.conftest import PRESETS, edge_in_a_thread

PNG = {"Content-Type": "image/png"}
UNKNOWN = 64 * "a"


@pytest.fixture
def photos() -> list[NDArray[np.uint8]]:
    """Three plain photos, red, green and blue."""
    return [np.full((20, 30, 3), colour, np.uint8) for colour in ((200, 40, 40), (40, 200, 40), (40, 40, 200))]


@pytest.fixture
async def ids(http: aiohttp.ClientSession, photos: list[NDArray[np.uint8]]) -> list[str]:
    """The photos' ids, which the edge of ``http`` knows."""
    known = []
    for data in map(encode_png, photos):
        known.append(hashlib.sha256(data).hexdigest())
        async with http.put(f"/v1/styles/{known[-1]}", data=data, headers=PNG) as reply:
            assert reply.status == 201
    return known


async def stylized(http: aiohttp.ClientSession, style: str, frame_png: bytes) -> NDArray[np.uint8]:
    params = {"style": style, "format": "png"}
    async with http.post("/v1/stylize", params=params, data=frame_png, headers=PNG) as reply:
        assert reply.status == 200, await reply.text()
        return decode_picture(await reply.read())


async def told(http: aiohttp.ClientSession, style: str, frame_png: bytes) -> tuple[int, dict[str, object]]:
    """Status and error of a request for a style that cannot be met."""
    async with http.post("/v1/stylize", params={"style": style}, data=frame_png, headers=PNG) as reply:
        return reply.status, await reply.json()


# The edge


async def test_codes_are_blended(
    http: aiohttp.ClientSession, stylizer: Stylizer, ids: list[str], photos: list[NDArray[np.uint8]],
    frame: NDArray[np.uint8], frame_png: bytes,
) -> None:  # fmt: skip
    """``id:weight,…`` gives the weighted mean of the codes; weights count by their ratio, and one id needs none."""
    codes = [stylizer.encode_style(photo) for photo in photos]
    cases = [
        (f"{ids[0]}:0.7,{ids[1]}:0.3", 0.7 * codes[0] + 0.3 * codes[1]),
        (f"{ids[0]}:7,{ids[1]}:3", 0.7 * codes[0] + 0.3 * codes[1]),
        (",".join(ids), sum(codes) / 3),
        (f"{ids[2]}:1,warm-light:3", 0.25 * codes[2] + 0.75 * PRESETS["warm-light"]),
        (ids[0], codes[0]),
        (f"{ids[0]}:0.2", codes[0]),
        ("cold-light", PRESETS["cold-light"]),
    ]
    for style, code in cases:
        found = await stylized(http, style, frame_png)
        assert np.abs(found.astype(int) - stylizer.stylize(frame, np.asarray(code, np.float32))).max() <= 1, style


async def test_nothing_new_is_stored(http: aiohttp.ClientSession, ids: list[str], frame_png: bytes) -> None:
    """A blend or a preset leaves no style of its own behind; both lists are told, ids and names."""
    await stylized(http, f"{ids[0]}:0.7,{ids[1]}:0.3,cold-light:1", frame_png)
    async with http.get("/v1/styles") as reply:
        found = await reply.json()
    assert sorted(found["styles"]) == sorted(ids) and found["presets"] == ["cold-light", "warm-light"]


async def test_the_unknown_ones_are_named(http: aiohttp.ClientSession, ids: list[str], frame_png: bytes) -> None:
    """Of a blend exactly the styles that the edge lacks are listed, for programs and in the text."""
    other = 64 * "b"
    status, error = await told(http, f"{ids[0]}:1,{UNKNOWN}:1,warm-light,{other}:2", frame_png)
    assert (status, error["code"], error["styles"]) == (404, "unknown-style", [UNKNOWN, other])
    assert UNKNOWN in str(error["error"]) and ids[0] not in str(error["error"])


async def test_an_unknown_preset_is_explained(http: aiohttp.ClientSession, ids: list[str], frame_png: bytes) -> None:
    """A preset that the release lacks is named with the release and those it has."""
    status, error = await told(http, f"{ids[0]}:1,winter:1", frame_png)
    assert (status, error["code"], error["styles"]) == (404, "unknown-preset", ["winter"])
    assert all(word in str(error["error"]) for word in ("test-1", "winter", "cold-light, warm-light"))


@pytest.mark.parametrize(
    "style",
    [
        "",
        ",",
        f"{UNKNOWN},",
        f"{UNKNOWN}:",
        f"{UNKNOWN}:0",
        f"{UNKNOWN}:-1",
        f"{UNKNOWN}:nan",
        f"{UNKNOWN}:inf",
        f"{UNKNOWN}:heavy",
        f"{UNKNOWN}:1:2",
        f"warm-light {UNKNOWN}",
        "Warm-Light",
        "../warm-light",
        41 * "a",
        ",".join([UNKNOWN] * (Limits().max_style_parts + 1)),
    ],
)
async def test_what_is_no_blend_is_refused(http: aiohttp.ClientSession, style: str, frame_png: bytes) -> None:
    """A blend has 1 to 8 ids, each with a positive, finite weight or none."""
    status, error = await told(http, style, frame_png)
    assert (status, error["code"]) == (400, "bad-parameter")
    assert "style" in str(error["error"])


async def test_a_blend_keeps_its_styles_on_the_shelf(
    stylizer: Stylizer, photos: list[NDArray[np.uint8]], frame_png: bytes
) -> None:
    """Being blended counts as being used: the style that was not makes room for the next."""
    async with listening(stylizer, limits=Limits(max_styles=3)) as (url, _), EdgeClient(url) as client:
        first, second, third = [await client.put_style(encode_png(photo)) for photo in photos]
        async with aiohttp.ClientSession(url) as http:
            await stylized(http, f"{first}:1,{second}:1", frame_png)
        fourth = await client.put_style(encode_png(photos[0] // 2))
        async with aiohttp.ClientSession(url) as http, http.get("/v1/styles") as reply:
            assert (await reply.json())["styles"] == [first, second, fourth]
    assert third not in (first, second, fourth)


# The clients


def test_the_query_of_a_blend() -> None:
    """One style is asked for by its id alone, several with weights that lose no bit."""
    assert style_query(["warm-light"], [1.0]) == "warm-light"
    assert style_query(["a", "b"], [0.1, 0.9]) == "a:0.1,b:0.9"
    third = 1 / 3
    assert float(style_query(["a", "b"], [third, 2 * third]).split(",")[0][2:]) == third


async def test_a_client_asks_for_blends(
    url: str, stylizer: Stylizer, photos: list[NDArray[np.uint8]], frame: NDArray[np.uint8]
) -> None:
    """The asyncio client gets a blend of what it has put and of presets, which it can list."""
    async with EdgeClient(url) as client:
        assert await client.presets() == ["cold-light", "warm-light"]
        style = await client.put_style(encode_png(photos[0]))
        found = await client.stylize(frame, style_query([style, "warm-light"], [0.25, 0.75]), form="png")
    code = 0.25 * stylizer.encode_style(photos[0]) + 0.75 * PRESETS["warm-light"]
    assert np.abs(found.astype(int) - stylizer.stylize(frame, code)).max() <= 1


async def test_exactly_the_forgotten_ones_are_given_again(
    stylizer: Stylizer, photos: list[NDArray[np.uint8]], frame: NDArray[np.uint8]
) -> None:
    """An edge that has lost one style of a blend is given that one again, and no other."""
    encoded: list[int] = []

    class Counting:
        version, sha256, code_size, presets = "test-1", "0" * 64, 3, PRESETS
        encoder_sha256 = "1" * 64

        def encode_style(self, photo: NDArray[np.uint8]) -> NDArray[np.float32]:
            encoded.append(int(photo[0, 0].argmax()))
            return stylizer.encode_style(photo)

        def stylize(self, frame: NDArray[np.uint8], code: NDArray[np.float32], r: float = 1.0) -> NDArray[np.uint8]:
            return stylizer.stylize(frame, code, r)

    async with listening(Counting(), limits=Limits(max_styles=2)) as (url, _), EdgeClient(url) as client:
        red, green, blue = [await client.put_style(encode_png(photo)) for photo in photos]
        await client.stylize(frame, style_query([green, red], [0.5, 0.5]))
        assert encoded == [0, 1, 2, 0]
        await client.stylize(frame, style_query([green, red], [0.4, 0.6]))
        assert encoded == [0, 1, 2, 0]
    assert blue not in (red, green)


async def test_an_edge_that_lists_no_presets_has_none() -> None:
    """An edge of an older version has no presets; a server that is no edge is an EdgeError."""
    answers = [web.json_response({"styles": []}), web.json_response({"styles": [], "presets": 7})]

    async def handler(request: web.Request) -> web.StreamResponse:
        return answers.pop(0) if answers else web.Response(text="<html>login</html>", status=401)

    app = web.Application()
    app.router.add_get("/v1/styles", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with EdgeClient(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:
            assert await client.presets() == []
            assert await client.presets() == []
            with pytest.raises(EdgeError, match="garbage"):
                await client.presets()
    finally:
        await runner.cleanup()


def test_the_device_sends_a_whole_style(
    stylizer: Stylizer, photos: list[NDArray[np.uint8]], frame: NDArray[np.uint8]
) -> None:
    """Photos and presets of one style reach the edge together; a preset that it lacks is a UsageError beforehand."""
    style = Style((Part(photos[0], 1), Part(photos[1], 2), Part("cold-light", 1)))
    code = (stylizer.encode_style(photos[0]) + 2 * stylizer.encode_style(photos[1]) + PRESETS["cold-light"]) / 4
    with edge_in_a_thread(stylizer) as url, EdgeStylizer(url) as edge:
        edge.set_style(style)
        found = edge.submit(frame).result(30)
        with pytest.raises(UsageError, match=rf"no file 'winter'.*{url}.*cold-light, warm-light"):
            edge.set_style(Style((Part(photos[2]), Part("winter"))))
        edge.set_style(Style.of_preset("warm-light"))
        warm = edge.submit(frame).result(30)
    assert np.abs(found.astype(int) - stylizer.stylize(frame, code.astype(np.float32))).mean() < 4
    assert np.abs(warm.astype(int) - stylizer.stylize(frame, PRESETS["warm-light"])).mean() < 4
