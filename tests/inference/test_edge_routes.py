"""Every route of the edge, as it should go and as it should fail."""

import hashlib
import re

import aiohttp
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.limits import Limits
from inference.serve import listening
from inference.stylizer import Stylizer
from mvstylizer.pictures import decode_picture, encode_jpeg, encode_png

PNG = {"Content-Type": "image/png"}


async def test_live_and_ready(http: aiohttp.ClientSession) -> None:
    """A running edge says that it lives and is ready."""
    async with http.get("/v2/health/live") as reply:
        assert (reply.status, await reply.json()) == (200, {"live": True})
    async with http.get("/v2/health/ready") as reply:
        assert (reply.status, await reply.json()) == (200, {"ready": True})


async def test_metadata(http: aiohttp.ClientSession, stylizer: Stylizer) -> None:
    """The metadata name the server, the release and the limits."""
    async with http.get("/v2") as reply:
        assert (await reply.json())["name"] == "mvstylizer"
    async with http.get("/v2/models/stylizer") as reply:
        told = await reply.json()
    assert (told["version"], told["sha256"]) == (stylizer.version, stylizer.sha256)
    assert told["limits"]["max_frame_bytes"] == Limits().max_frame_bytes


async def test_style_is_content_addressed(http: aiohttp.ClientSession, photo_png: bytes, style_id: str) -> None:
    """A photo is new once (201) and known ever after (200), under the sha256 of its bytes."""
    for status in (201, 200):
        async with http.put(f"/v1/styles/{style_id}", data=photo_png, headers=PNG) as reply:
            assert (reply.status, await reply.json()) == (status, {"id": style_id})
    async with http.get("/v1/styles") as reply:
        assert await reply.json() == {"styles": [style_id], "presets": ["cold-light", "warm-light"]}


async def test_least_recently_used_style_makes_room(
    stylizer: Stylizer, photo: NDArray[np.uint8], frame_png: bytes
) -> None:
    """The store of style codes is bounded, and using a style keeps it."""
    photos = [encode_png(photo // n) for n in (1, 2, 3)]
    ids = [hashlib.sha256(data).hexdigest() for data in photos]
    async with (
        listening(stylizer, limits=Limits(max_styles=2)) as (url, _),
        aiohttp.ClientSession(url) as http,
    ):
        for style, data in list(zip(ids, photos, strict=True))[:2]:
            await (await http.put(f"/v1/styles/{style}", data=data, headers=PNG)).read()
        await (await http.post(f"/v1/stylize?style={ids[0]}", data=frame_png, headers=PNG)).read()
        await (await http.put(f"/v1/styles/{ids[2]}", data=photos[2], headers=PNG)).read()
        async with http.get("/v1/styles") as reply:
            assert (await reply.json())["styles"] == [ids[0], ids[2]]


@pytest.mark.parametrize("r", [0.5, 1.0, 1.7])
async def test_stylize_png(
    http: aiohttp.ClientSession, stylizer: Stylizer, style: str, frame_png: bytes,
    frame: NDArray[np.uint8], photo: NDArray[np.uint8], r: float,
) -> None:  # fmt: skip
    """A PNG comes back exactly as the stylizer made it, r times the size."""
    async with http.post(f"/v1/stylize?style={style}&format=png&r={r}", data=frame_png, headers=PNG) as reply:
        assert (reply.status, reply.content_type) == (200, "image/png")
        stylized = decode_picture(await reply.read())
    np.testing.assert_array_equal(stylized, stylizer.stylize(frame, stylizer.encode_style(photo), r))


async def test_stylize_jpeg(
    http: aiohttp.ClientSession, stylizer: Stylizer, style: str,
    frame: NDArray[np.uint8], photo: NDArray[np.uint8],
) -> None:  # fmt: skip
    """A JPEG goes in, a JPEG near to the stylizer's picture comes out, and quality makes it larger."""
    sizes = []
    for quality in (50, 95):
        url = f"/v1/stylize?style={style}&quality={quality}"
        async with http.post(url, data=encode_jpeg(frame, 95), headers={"Content-Type": "image/jpeg"}) as reply:
            assert (reply.status, reply.content_type) == (200, "image/jpeg")
            body = await reply.read()
        sizes.append(len(body))
    assert sizes[0] < sizes[1]
    expected = stylizer.stylize(frame, stylizer.encode_style(photo))
    assert np.abs(decode_picture(body).astype(int) - expected).mean() < 4


async def test_reply_headers(http: aiohttp.ClientSession, stylizer: Stylizer, style: str, frame_png: bytes) -> None:
    """A stylized picture tells its release, where the time went and the request's id."""
    headers = {**PNG, "X-Request-Id": "clip-7.frame_12"}
    async with http.post(f"/v1/stylize?style={style}", data=frame_png, headers=headers) as reply:
        assert reply.headers["Model-Version"] == stylizer.version
        assert reply.headers["X-Request-Id"] == "clip-7.frame_12"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert "aiohttp" not in reply.headers["Server"]
        for part in ("queue", "infer", "encode"):
            assert re.search(rf"{part};dur=\d", reply.headers["Server-Timing"])


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("GET", "/nothing", {}, 404, "not-found"),
        ("DELETE", "/v1/styles", {}, 405, "method-not-allowed"),
        ("GET", "/v2", {"X-Request-Id": "a b"}, 400, "bad-request-id"),
        ("GET", "/v2", {"X-Request-Id": "x" * 65}, 400, "bad-request-id"),
        ("GET", "/v2", {"Expect": "miracles"}, 417, "expectation-failed"),
        ("POST", "/v1/stylize", PNG, 400, "bad-parameter"),
        ("POST", "/v1/stylize?style=../../etc/passwd", PNG, 400, "bad-parameter"),
        ("POST", "/v1/stylize?style={id}&format=gif", PNG, 400, "bad-parameter"),
        ("POST", "/v1/stylize?style={id}&quality=0", PNG, 400, "bad-parameter"),
        ("POST", "/v1/stylize?style={id}&quality=9.5", PNG, 400, "bad-parameter"),
        ("POST", "/v1/stylize?style={id}&r=nan", PNG, 400, "bad-parameter"),
        ("POST", "/v1/stylize?style={id}&r=100", PNG, 400, "bad-parameter"),
        ("POST", "/v1/stylize?style={id}&colour=1", PNG, 400, "bad-parameter"),
        ("POST", "/v1/stylize?style={id}", {**PNG, "X-Deadline-Ms": "soon"}, 400, "bad-parameter"),
        ("POST", "/v1/stylize?style={id}", {"Content-Type": "text/html"}, 415, "content-type"),
        ("POST", "/v1/stylize?style={id}", {**PNG, "Content-Encoding": "deflate"}, 415, "content-encoding"),
        ("POST", "/v1/stylize?style={id}", PNG, 400, "empty-body"),
        ("POST", "/v1/stylize?style=" + 64 * "a", PNG, 404, "unknown-style"),
        ("POST", "/v1/stylize?style=winter", PNG, 404, "unknown-preset"),
        ("PUT", "/v1/styles/photo.png", PNG, 422, "style-id"),
        ("PUT", "/v1/styles/" + 64 * "A", PNG, 422, "style-id"),
    ],
)
async def test_error_shape(
    http: aiohttp.ClientSession,
    style: str,
    method: str,
    path: str,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    """Every error has the one shape, its own code, and a request id that the header repeats."""
    async with http.request(method, path.format(id=style), headers=headers) as reply:
        told = await reply.json()
        assert (reply.status, told["code"]) == (status, code)
        assert set(told) - {"styles"} == {"error", "code", "request_id"}
        assert ("styles" in told) == code.startswith("unknown-")
        assert told["request_id"] == reply.headers["X-Request-Id"] != ""
        assert reply.headers["X-Content-Type-Options"] == "nosniff"


async def test_failing_stylizer_leaks_nothing(
    stylizer: Stylizer, photo_png: bytes, style_id: str, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What goes wrong inside is a plain 500 for the client and a traceback in the log."""

    def fail(photo: object) -> None:
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(stylizer, "encode_style", fail)
    async with listening(stylizer) as (url, _), aiohttp.ClientSession(url) as http:
        async with http.put(f"/v1/styles/{style_id}", data=photo_png, headers=PNG) as reply:
            text = await reply.text()
            assert (reply.status, (await reply.json())["code"]) == (500, "internal")
        async with http.get("/v2/health/live") as reply:
            assert reply.status == 200
    assert "secret" not in text
    assert "/secret/path" in caplog.text


async def test_style_that_is_not_its_sha256(http: aiohttp.ClientSession, photo_png: bytes) -> None:
    """A style under an id that is not its sha256 is refused and not kept."""
    async with http.put(f"/v1/styles/{64 * 'a'}", data=photo_png, headers=PNG) as reply:
        assert (reply.status, (await reply.json())["code"]) == (422, "style-id")
    async with http.get("/v1/styles") as reply:
        assert (await reply.json())["styles"] == []
