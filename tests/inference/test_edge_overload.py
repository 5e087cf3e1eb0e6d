"""An edge with more to do than it can: it says so, stays responsive, and is fair."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.edge import Edge
from inference.errors import ApiError
from inference.limits import Limits
from inference.serve import listening
from inference.stylizer import Stylizer
from inference.worker import InferenceWorker

PNG = {"Content-Type": "image/png"}
SERVICE = 0.25


async def _put(http: aiohttp.ClientSession, style: str, photo: bytes) -> None:
    async with http.put(f"/v1/styles/{style}", data=photo, headers=PNG) as reply:
        assert reply.status == 201


async def _stylize(
    http: aiohttp.ClientSession, style: str, frame: bytes, **headers: str
) -> tuple[int, str, str | None]:
    """Status, error code and Retry-After."""
    async with http.post(f"/v1/stylize?style={style}", data=frame, headers={**PNG, **headers}) as reply:
        code = (await reply.json())["code"] if reply.status != 200 else str(len(await reply.read()))
        return reply.status, code, reply.headers.get("Retry-After")


async def _pending(edge: Edge, count: int) -> None:
    while edge.worker.pending < count:
        await asyncio.sleep(0.005)


@pytest.mark.failure("F19")
async def test_full_queue(
    delayed: Callable[[float], Stylizer], style_id: str, photo_png: bytes, frame_png: bytes
) -> None:
    """Beyond the queue, requests get 503 at once with a Retry-After; the accepted are served."""
    limits = Limits(queue=2, per_client=100)
    async with listening(delayed(SERVICE), limits=limits) as (url, edge), aiohttp.ClientSession(url) as http:
        await _put(http, style_id, photo_png)
        answers = await asyncio.gather(*(_stylize(http, style_id, frame_png) for _ in range(8)))
        assert edge.worker.pending == 0
    refused = [answer for answer in answers if answer[0] != 200]
    assert 3 <= len(answers) - len(refused) < 8
    assert {answer[:2] for answer in refused} == {(503, "queue-full")}
    assert all(answer[2] is not None and int(answer[2]) >= 1 for answer in refused)


async def test_retry_after_is_queue_times_service_time() -> None:
    """Retry-After follows the measured service time and the number that wait."""
    worker = InferenceWorker(queue=3)
    try:
        await worker.run(lambda: time.sleep(0.2))
        waiting = [asyncio.create_task(worker.run(lambda: None)) for _ in range(4)]
        await asyncio.sleep(0)
        assert worker.pending == 4
        assert 0.8 <= worker.expected_wait < 1.6
        await asyncio.gather(*waiting)
        assert worker.expected_wait == 0
    finally:
        worker.close()


async def test_deadline_is_foretold() -> None:
    """Work that would wait past its deadline, by what was measured, is refused before it queues."""
    worker = InferenceWorker(queue=3)
    try:
        await worker.run(lambda: time.sleep(0.2))
        waiting = asyncio.create_task(worker.run(lambda: time.sleep(0.2)))
        await asyncio.sleep(0)
        with pytest.raises(ApiError) as caught:
            await worker.run(lambda: None, time.monotonic() + 0.1)
        assert (caught.value.status, caught.value.code) == (503, "deadline")
        assert not waiting.done()
        await waiting
    finally:
        worker.close()


async def test_order_of_arrival() -> None:
    """Work is done in order of arrival, one piece at a time."""
    worker, order = InferenceWorker(queue=10), list[int]()
    try:
        await asyncio.gather(*(worker.run(lambda n=n: order.append(n)) for n in range(6)))  # type: ignore[misc]
    finally:
        worker.close()
    assert order == list(range(6))


async def test_abandoned_work_frees_its_place_only_when_the_thread_is_free() -> None:
    """Work that is abandoned while it runs does not let a second piece run beside it."""
    worker = InferenceWorker(queue=1)
    try:
        first = asyncio.create_task(worker.run(lambda: time.sleep(0.2)))
        await asyncio.sleep(0.05)
        first.cancel()
        start = time.monotonic()
        await worker.run(lambda: None)
        assert time.monotonic() - start > 0.1
        with pytest.raises(asyncio.CancelledError):
            await first
    finally:
        worker.close()


@pytest.mark.failure("F19")
async def test_deadline_that_cannot_be_met(
    delayed: Callable[[float], Stylizer], style_id: str, photo_png: bytes, frame_png: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A request that would come too late is dropped with 503 and does not cost a run of the DNN."""
    stylizer, runs = delayed(SERVICE), list[object]()
    stylize = stylizer.stylize

    def watched(*args: Any) -> NDArray[np.uint8]:
        runs.append(args)
        return stylize(*args)

    monkeypatch.setattr(stylizer, "stylize", watched)
    async with listening(stylizer) as (url, edge), aiohttp.ClientSession(url) as http:
        await _put(http, style_id, photo_png)
        first = asyncio.create_task(_stylize(http, style_id, frame_png))
        await _pending(edge, 1)
        late = await _stylize(http, style_id, frame_png, **{"X-Deadline-Ms": "100"})
        never = await _stylize(http, style_id, frame_png, **{"X-Deadline-Ms": "0"})
        assert late[:2] == never[:2] == (503, "deadline")
        assert (await first)[0] == 200
        assert len(runs) == 1
        assert (await _stylize(http, style_id, frame_png, **{"X-Deadline-Ms": "60000"}))[0] == 200


@pytest.mark.failure("F24")
async def test_health_while_inference_runs(
    delayed: Callable[[float], Stylizer], style_id: str, photo_png: bytes, frame_png: bytes
) -> None:
    """The event loop is free while the DNN runs: health answers in a fraction of the service time."""
    async with listening(delayed(1.0)) as (url, edge), aiohttp.ClientSession(url) as http:
        await _put(http, style_id, photo_png)
        running = asyncio.create_task(_stylize(http, style_id, frame_png))
        await _pending(edge, 1)
        start = time.monotonic()
        async with http.get("/v2/health/ready") as reply:
            assert reply.status == 200
        assert time.monotonic() - start < 0.5
        assert not running.done()
        assert (await running)[0] == 200


@pytest.mark.failure("F8")
async def test_slow_client_holds_nobody(url: str, http: aiohttp.ClientSession, style: str, frame_png: bytes) -> None:
    """Clients that send slowly take no place in the queue: others are served meanwhile."""
    head = f"POST /v1/stylize?style={style} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
    port = int(url.rsplit(":", 1)[1])
    slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
    try:
        for _, writer in slow:
            writer.write(head.encode() + b"Content-Length: 99\r\n\r\nx")
        start = time.monotonic()
        assert (await _stylize(http, style, frame_png))[0] == 200
        assert time.monotonic() - start < 2
    finally:
        for _, writer in slow:
            writer.close()


async def test_client_that_leaves_frees_its_place(
    delayed: Callable[[float], Stylizer], style_id: str, photo_png: bytes, frame_png: bytes
) -> None:
    """A request whose client has gone is taken out of the queue and costs no run."""
    async with listening(delayed(SERVICE)) as (url, edge), aiohttp.ClientSession(url) as http:
        await _put(http, style_id, photo_png)
        first = asyncio.create_task(_stylize(http, style_id, frame_png))
        await _pending(edge, 1)
        gone = [asyncio.create_task(_stylize(http, style_id, frame_png)) for _ in range(4)]
        await _pending(edge, 5)
        for task in gone:
            task.cancel()
        await first
        await asyncio.wait(gone)
        assert edge.worker.pending <= 1
