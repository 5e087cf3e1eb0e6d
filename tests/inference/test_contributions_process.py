"""An edge that collects, as a process of its own, under faults that would harm the test's process."""

import asyncio
import hashlib
import os
import re
import resource
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.inference.contributed import ALICE, offered

SCRIPT = Path(__file__).with_name("collecting_edge.py")
ROOT = SCRIPT.parents[2]


@asynccontextmanager
async def running_edge(data: Path) -> AsyncIterator[tuple[Process, str]]:
    """The process and its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), str(data), stdout=PIPE, stderr=PIPE, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = re.search(r"listening on (\S+) ", (await process.stdout.readline()).decode())
        assert found
        yield process, found[1]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def send(http: aiohttp.ClientSession, seed: int) -> tuple[int, str | None]:
    """Status and Contribution of the answer to an offered key frame."""
    headers = {"Content-Type": "image/jpeg", "Contributor": ALICE}
    async with http.post("/v1/stylize?style=warm-light", data=offered(seed).picture, headers=headers) as reply:
        await reply.read()
        return reply.status, reply.headers.get("Contribution")


async def counted(http: aiohttp.ClientSession) -> dict[str, float]:
    """Contributions by result."""
    async with http.get("/metrics") as reply:
        families = list(text_string_to_metric_families(await reply.text()))
    samples = (sample for family in families for sample in family.samples)
    return {
        sample.labels["result"]: sample.value for sample in samples if sample.name == "mvstylizer_contributions_total"
    }


@pytest.mark.failure("F6")
async def test_a_full_disk_stops_contributions_and_nothing_else(tmp_path: Path) -> None:
    """Frames are stylized and refused, the edge stays live and counts; with room again it keeps them."""
    async with running_edge(tmp_path / "edge") as (process, url), aiohttp.ClientSession(url) as http:
        assert await send(http, 0) == (200, "kept")
        unlimited = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
        answers = [await send(http, seed) for seed in range(1, 13)]
        assert {status for status, _ in answers} == {200}
        assert answers[-1] == (200, "refused")
        kept = 1 + sum(contribution == "kept" for _, contribution in answers)
        assert await counted(http) == {"kept": kept, "failed": 13 - kept}
        async with http.get("/v2/health/live") as reply:
            assert reply.status == 200
        async with http.get(f"/v1/contributions/{ALICE}") as reply:
            assert (await reply.json())["frames"] == kept
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
        assert await send(http, 99) == (200, "kept")
        assert await send(http, 0) == (200, "duplicate")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert process.stderr is not None
        told = (await process.stderr.read()).decode().splitlines()
    assert len(told) == 1 and "contributions fail" in told[0] and "frames.sqlite" in told[0]


@pytest.mark.failure("F2")
async def test_what_was_answered_as_kept_outlives_a_kill(tmp_path: Path) -> None:
    """Killed (-9) while frames come in: the next edge on the directory starts, and has every frame that was kept."""
    kept = set[int]()
    async with running_edge(tmp_path / "edge") as (process, url), aiohttp.ClientSession(url) as http:

        async def contribute(first: int) -> None:
            for seed in range(first, first + 1000):
                if await send(http, seed) == (200, "kept"):
                    kept.add(seed)

        tasks = [asyncio.create_task(contribute(1000 * n)) for n in range(3)]
        while len(kept) < 9:
            await asyncio.sleep(0.02)
        process.kill()
        await asyncio.gather(*tasks, return_exceptions=True)
    async with running_edge(tmp_path / "edge") as (_, url), aiohttp.ClientSession(url) as http:
        assert {await send(http, seed) for seed in kept} == {(200, "duplicate")}
        async with http.get(f"/v1/contributions/{ALICE}") as reply:
            assert (await reply.json())["frames"] <= len(kept) + len(tasks)


@pytest.mark.failure("F21")
async def test_a_damaged_store_is_told_in_one_line(tmp_path: Path) -> None:
    """The edge ends with the code of an input error, what is wrong, where, and what to do."""
    (tmp_path / "frames.sqlite").write_bytes(hashlib.sha256(b"").digest() * 1000)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), str(tmp_path), stdout=PIPE, stderr=PIPE, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, out) == (1, b"")
    assert re.fullmatch(r"3 \S+/frames\.sqlite: the frame store is damaged \(.*\); move it .*\n", err.decode())
