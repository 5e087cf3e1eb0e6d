"""Swaps under load: nobody notices, and nothing piles up."""

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.data_dir import DataDir
from inference.model_store import ModelStore
from mvstylizer.engine import Engine
from mvstylizer.pictures import encode_png
from tests.inference.stores import LOAD, edge_process, published

pytestmark = pytest.mark.slow
_SWAPS, _WARM_UP_SWAPS = 30, 10
_CLIENTS, _PER_SECOND = 8, 50
_MOST_GROWTH = 1.1


def _resident(process: int) -> int:
    """Bytes."""
    status = Path(f"/proc/{process}/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def _open_files(process: int) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def _threads(process: int) -> int:
    return len(list(Path(f"/proc/{process}/task").iterdir()))


async def _ask(url: str, body: bytes, expected: dict[str, bytes], seen: Counter[str]) -> None:
    """Ask at a steady pace until cancelled; every reply has to be 200 and what its version makes of the picture."""
    headers, loop = {"Content-Type": "image/png"}, asyncio.get_running_loop()
    async with aiohttp.ClientSession(url) as http:
        while True:
            next_turn = loop.time() + _CLIENTS / _PER_SECOND
            async with http.post("/v1/stylize?style=warm-light&format=png", data=body, headers=headers) as reply:
                picture, version = await reply.read(), reply.headers.get("Model-Version", "")
                assert reply.status == 200, picture
                assert picture == expected[version], f"a picture that {version} does not make"
                seen[version] += 1
            await asyncio.sleep(max(0.0, next_turn - loop.time()))


@pytest.mark.failure("F23")
@pytest.mark.failure("F13")
async def test_thirty_swaps_under_load(tmp_path: Path, preset_release: Path, frame: NDArray[np.uint8]) -> None:
    """F13, F23: no request fails, each reply is of the one version that it names, memory stays within 10 %."""
    data, seen = DataDir(tmp_path), Counter[str]()
    # Of the bundled release's size, so that an old one that stays would be seen.
    published(data, preset_release, bytes=4_000_000)
    store = ModelStore(data.releases)
    engines = {version: Engine(store.load(version), threads=1) for version in ("dark", "light")}
    expected = {
        version: encode_png(engine.stylize(frame, engine.presets["warm-light"])) for version, engine in engines.items()
    }
    assert expected["dark"] != expected["light"]
    headers = {"Authorization": f"Bearer {data.admin_token()}"}
    with edge_process(data.path, "--queue", "16", "--per-client", "16") as edge:
        pid = edge.process.pid
        async with aiohttp.ClientSession(data.admin_url(), headers=headers) as admin:
            clients = [asyncio.create_task(_ask(edge.url, encode_png(frame), expected, seen)) for _ in range(_CLIENTS)]
            resident, files, threads = list[int](), list[int](), list[int]()
            for count in range(_WARM_UP_SWAPS + _SWAPS):
                before, version = seen.total(), ("light", "dark")[count % 2]
                async with admin.post(LOAD, json={"version": version}) as reply:
                    assert reply.status == 200 and (await reply.json())["swapped"]
                while seen.total() < before + 2 * _CLIENTS and not any(client.done() for client in clients):
                    await asyncio.sleep(0.01)
                resident.append(_resident(pid))
                files.append(_open_files(pid))
                threads.append(_threads(pid))
            for client in clients:
                client.cancel()
            for result in await asyncio.gather(*clients, return_exceptions=True):
                assert isinstance(result, asyncio.CancelledError), result
    warm, then = resident[:_WARM_UP_SWAPS], resident[_WARM_UP_SWAPS:]
    print(f"{seen.total()} requests, {[round(each / 2**20) for each in resident]} MB")
    assert seen["dark"] and seen["light"]
    assert np.median(then[-_WARM_UP_SWAPS:]) < _MOST_GROWTH * np.median(warm)
    assert max(files[-2:]) <= max(files[:_WARM_UP_SWAPS]) and max(threads[-2:]) <= max(threads[:_WARM_UP_SWAPS])
