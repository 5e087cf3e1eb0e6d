"""One client may not have all of the queue."""

import asyncio
from collections.abc import Callable

import aiohttp

from inference.limits import Limits
from inference.security import Security
from inference.serve import listening
from inference.stylizer import Stylizer

PNG = {"Content-Type": "image/png"}


async def _statuses(http: aiohttp.ClientSession, style: str, frame: bytes, clients: list[str]) -> list[int]:
    async def ask(client: str) -> int:
        headers = PNG | ({"X-Forwarded-For": f"6.6.6.6, {client}"} if client else {})
        async with http.post(f"/v1/stylize?style={style}", data=frame, headers=headers) as reply:
            if reply.status == 429:
                assert int(reply.headers["Retry-After"]) >= 1
                assert (await reply.json())["code"] == "too-many-requests"
            return reply.status

    return sorted(await asyncio.gather(*map(ask, clients)))


async def test_a_client_has_its_share_and_the_others_theirs(
    delayed: Callable[[float], Stylizer], photo_png: bytes, frame_png: bytes, style_id: str
) -> None:
    """Behind a trusted proxy a client is the last address in X-Forwarded-For; each has its own share."""
    limits = Limits(queue=8, per_client=2)
    edge = listening(delayed(0.1), limits=limits, security=Security(behind_proxy=True))
    async with edge as (url, _), aiohttp.ClientSession(url) as http:
        await (await http.put(f"/v1/styles/{style_id}", data=photo_png, headers=PNG)).read()
        assert await _statuses(http, style_id, frame_png, ["a"] * 4 + ["b"] * 2) == [200] * 4 + [429] * 2
        assert await _statuses(http, style_id, frame_png, ["a"] * 2) == [200] * 2, "a share comes back"


async def test_without_a_proxy_the_header_is_not_believed(
    delayed: Callable[[float], Stylizer], photo_png: bytes, frame_png: bytes, style_id: str
) -> None:
    """Who writes many names into X-Forwarded-For is still one client."""
    async with listening(delayed(0.1), limits=Limits(per_client=2)) as (url, _), aiohttp.ClientSession(url) as http:
        await (await http.put(f"/v1/styles/{style_id}", data=photo_png, headers=PNG)).read()
        assert await _statuses(http, style_id, frame_png, list("abcd")) == [200] * 2 + [429] * 2
