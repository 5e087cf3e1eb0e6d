"""The same Idempotency-Key gives the same reply, however often it is sent, and works once."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.errors import ApiError
from inference.limits import Limits
from inference.replies import Replies, Reply
from inference.serve import listening
from inference.stylizer import Stylizer
from mvstylizer.pictures import encode_png

KEY = "0123456789abcdef0123456789abcdef"


def counted(reply: Reply, seconds: float = 0.0) -> tuple[Callable[[], Awaitable[Reply]], list[int]]:
    """Work that gives the reply, and how often it was begun and ended."""
    runs = [0, 0]

    async def compute() -> Reply:
        runs[0] += 1
        await asyncio.sleep(seconds)
        runs[1] += 1
        return reply

    return compute, runs


REPLY = Reply(b"picture", "image/jpeg", {"Model-Version": "1"})


@pytest.mark.failure("F17")
async def test_asked_twice_works_once() -> None:
    """One after the other, and both at a time."""
    replies = Replies(Limits())
    compute, runs = counted(REPLY, 0.01)
    together = await asyncio.gather(*(replies.once(KEY, b"f", compute) for _ in range(3)))
    after = await replies.once(KEY, b"f", compute)
    assert [reply for reply, _ in (*together, after)] == [REPLY] * 4
    assert [replayed for _, replayed in (*together, after)] == [False, True, True, True]
    assert runs == [1, 1]


async def test_without_a_key_nothing_is_kept() -> None:
    """Who gives no key wants no memory."""
    replies = Replies(Limits())
    compute, runs = counted(REPLY)
    for _ in range(2):
        assert await replies.once(None, b"", compute) == (REPLY, False)
    assert (runs, replies.held) == ([2, 2], 0)


@pytest.mark.failure("F17")
async def test_another_request_under_the_same_key_is_refused() -> None:
    """409, also while the first is still computed; the first is not disturbed."""
    replies = Replies(Limits())
    compute, _ = counted(REPLY, 0.05)
    first = asyncio.create_task(replies.once(KEY, b"f", compute))
    await asyncio.sleep(0)
    with pytest.raises(ApiError) as refused:
        await replies.once(KEY, b"g", compute)
    assert (refused.value.status, refused.value.code) == (409, "idempotency-mismatch")
    assert (await first)[0] == REPLY


async def test_failures_are_not_kept() -> None:
    """What failed once may go well the next time."""
    replies = Replies(Limits())

    async def busy() -> Reply:
        raise ApiError(503, "busy", "later")

    with pytest.raises(ApiError, match="later"):
        await replies.once(KEY, b"f", busy)
    compute, _ = counted(REPLY)
    assert await replies.once(KEY, b"f", compute) == (REPLY, False)


async def test_work_ends_with_the_last_who_wants_it() -> None:
    """If one of two leaves the other gets the reply; if both leave the work is stopped."""
    replies = Replies(Limits())
    compute, runs = counted(REPLY, 0.05)
    first, second = (asyncio.create_task(replies.once(KEY, b"f", compute)) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    assert (await second)[0] == REPLY
    alone = asyncio.create_task(replies.once(KEY[::-1], b"f", compute))
    await asyncio.sleep(0.01)
    alone.cancel()
    await asyncio.sleep(0.1)
    assert runs == [2, 1]


async def test_memory_is_bounded() -> None:
    """By bytes and by time; what is dropped is computed again."""
    replies = Replies(Limits(max_reply_bytes=100))
    for n in range(20):
        compute, _ = counted(Reply(bytes(30), "image/png", {}))
        await replies.once(f"{n:032d}", b"f", compute)
        assert replies.held <= 130
    brief = Replies(Limits(reply_seconds=0.01))
    for _ in range(2):
        compute, runs = counted(REPLY)
        await brief.once(KEY, b"f", compute)
        assert runs == [1, 1]
        await asyncio.sleep(0.02)


@pytest.mark.failure("F17")
async def test_over_http(stylizer: Stylizer, photo: NDArray[np.uint8], photo_png: bytes, style_id: str) -> None:
    """The same request is computed once and says that it is a replay; another body or query is a conflict."""
    async with listening(stylizer) as (url, edge), aiohttp.ClientSession(url) as http:
        await (await http.put(f"/v1/styles/{style_id}", data=photo_png, headers={"Content-Type": "image/png"})).read()

        async def ask(body: bytes, more: str = "", key: str = KEY) -> tuple[int, bytes, str | None]:
            headers = {"Content-Type": "image/png", "Idempotency-Key": key}
            async with http.post(f"/v1/stylize?style={style_id}{more}", data=body, headers=headers) as reply:
                return reply.status, await reply.read(), reply.headers.get("Idempotency-Replayed")

        first, second = await ask(photo_png), await ask(photo_png)
        assert first[0] == second[0] == 200
        assert first[1] == second[1]
        assert (first[2], second[2]) == (None, "true")
        other = encode_png(photo[::-1] // 2)
        assert [(await ask(other))[0], (await ask(photo_png, "&quality=50"))[0]] == [409, 409]
        for malformed in ("short", "x" * 65, "spaces are not allowed in it"):
            assert (await ask(photo_png, key=malformed))[0] == 400
        assert b"mvstylizer_replayed_total 1.0" in edge.metrics.exposition()
