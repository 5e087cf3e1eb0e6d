"""Hot swap: another release takes over without anybody noticing, or the old one stays and it is said why."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from numpy.typing import NDArray

from inference import hot_swap
from inference.client import EdgeClient
from inference.data_dir import DataDir
from inference.model_store import ModelStore
from inference.serve import listening
from inference.stylizer import Stylizer
from mvstylizer.engine import Engine
from mvstylizer.pictures import encode_png
from mvstylizer.release import STYLE_GRAPH
from tests.changed_release import changed_release, padded
from tests.inference.conftest import Delayed
from tests.inference.stores import INDEX, Admin, administered, published

PNG = {"Content-Type": "image/png"}


@pytest.fixture
def data(tmp_path: Path, preset_release: Path) -> DataDir:
    """With the releases ``dark``, which is current, and ``light``."""
    data = DataDir(tmp_path / "edge")
    published(data, preset_release)
    return data


@pytest.fixture
async def admin(data: DataDir) -> AsyncIterator[Admin]:
    async with administered(data) as admin:
        yield admin


async def test_a_swap(admin: Admin, frame_png: bytes) -> None:
    """From then on replies are of the new release, also after the next start; and one can go back."""
    metadata = f"{admin.url}/v2/models/stylizer"
    stylize = f"{admin.url}/v1/stylize?style=warm-light&format=png"
    bodies = {}
    for version in ("light", "dark"):
        assert await admin.load(version) == (200, {"name": "stylizer", "version": version, "swapped": True})
        assert (admin.store.current, admin.store.previous) == (version, "dark" if version == "light" else "light")
        async with aiohttp.ClientSession() as http:
            async with http.post(stylize, data=frame_png, headers=PNG) as reply:
                assert (reply.status, reply.headers["Model-Version"]) == (200, version)
                bodies[version] = await reply.read()
            async with http.get(metadata) as reply:
                assert (await reply.json())["version"] == version
        assert f'version="{version}"' in admin.edge.metrics.exposition().decode()
    assert bodies["light"] != bodies["dark"]
    assert await admin.index() == {"dark": ("READY", ""), "light": ("UNAVAILABLE", "")}
    assert admin.swaps() == {"swapped": 2}


@pytest.mark.failure("F14")
async def test_the_version_that_runs_is_not_loaded_again(admin: Admin) -> None:
    """F14: it is no failure either."""
    engine = admin.edge.stylizer
    assert await admin.load("dark") == (200, {"name": "stylizer", "version": "dark", "swapped": False})
    assert admin.edge.stylizer is engine and admin.swaps() == {"unchanged": 1}


async def _begun(admin: Admin) -> asyncio.Task[tuple[int, dict[str, Any]]]:
    """A swap to ``light`` that takes a while, as the release that runs is slow when it is compared with."""
    admin.edge.stylizer = Delayed(admin.edge.stylizer, 0.5)
    loading = asyncio.create_task(admin.load("light"))
    while (await admin.index())["light"] != ("LOADING", ""):
        assert not loading.done()
        await asyncio.sleep(0.01)
    return loading


@pytest.mark.failure("F14")
async def test_two_swaps_at_once(admin: Admin) -> None:
    """F14: one is carried out, the other is told to come back; the index says what is going on."""
    first = await _begun(admin)
    status, told = await admin.load("dark")
    assert (status, told["code"]) == (409, "busy") and "light is being loaded" in told["error"]
    assert (await first)[0] == 200
    assert admin.swaps() == {"busy": 1, "swapped": 1}
    assert (await admin.load("dark"))[0] == 200


async def test_who_leaves_does_not_stop_a_swap(admin: Admin) -> None:
    """The asker's connection is cut; the swap goes on to its end."""
    asking = await _begun(admin)
    asking.cancel()
    async with asyncio.timeout(60):
        while not admin.swaps():
            await asyncio.sleep(0.01)
    assert (admin.swaps(), admin.edge.stylizer.version) == ({"swapped": 1}, "light")


async def test_a_swap_that_cannot_be_written_down_does_not_happen(admin: Admin) -> None:
    """What would be gone after the next start does not run."""
    pointer = admin.store.directory / "current"
    pointer.unlink()
    pointer.mkdir()
    status, told = await admin.load("light")
    assert (status, told["code"]) == (507, "store-not-writable")
    assert admin.edge.stylizer.version == "dark" and admin.swaps() == {"failed": 1}


async def test_a_swap_while_shutting_down(data: DataDir) -> None:
    """The edge ends in good order, and the store points at a release that runs; nobody begins a swap then."""
    async with administered(data) as admin:
        swapping = await _begun(admin)
        admin.edge.draining = True
        status, told = await admin.load("light")
        assert (status, told["code"]) == (503, "draining")
    with suppress(aiohttp.ClientError):  # where the edge had gone before it could tell
        assert (await swapping)[0] in (200, 503)
    store = ModelStore(data.releases)
    assert store.current in ("dark", "light")
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("hot-swap")]
    async with administered(data) as admin:
        assert admin.edge.stylizer.version == store.current


async def test_the_old_engine_is_freed(admin: Admin, frame_png: bytes) -> None:
    """Once its last user has let go, though requests came before; and its memory is given back."""
    async with aiohttp.ClientSession(admin.url) as http:
        for _ in range(3):
            async with http.post("/v1/stylize?style=warm-light", data=frame_png, headers=PNG) as reply:
                assert reply.status == 200
    user: object = admin.edge.stylizer
    old = weakref.ref(user)
    assert (await admin.load("light"))[0] == 200
    gc.collect()
    assert old() is not None
    del user
    async with asyncio.timeout(10):
        while old() is not None:
            gc.collect()
            await asyncio.sleep(0.01)


async def test_memory_is_given_back_when_the_old_engine_goes(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off the event loop, after every swap."""
    threads, give_back = list[str](), hot_swap.return_free_memory

    def noted() -> None:
        threads.append(threading.current_thread().name)
        give_back()

    monkeypatch.setattr(hot_swap, "return_free_memory", noted)
    for count, version in enumerate(("light", "dark"), 1):
        assert (await admin.load(version))[0] == 200
        async with asyncio.timeout(10):
            while len(threads) < count:
                await asyncio.sleep(0.01)
    assert all(name.startswith("hot-swap") for name in threads)


async def test_style_codes_stay_as_long_as_the_encoder_does(
    admin: Admin,
    preset_release: Path,
    tmp_path: Path,
    photo: NDArray[np.uint8],
    photo_png: bytes,
    frame: NDArray[np.uint8],
) -> None:
    """A release with the same style graph goes on with them; with another one clients send their photos again."""
    other = changed_release(preset_release, tmp_path / "other", "other", padded(1), STYLE_GRAPH)
    admin.store.publish(other)
    async with EdgeClient(admin.url) as client, aiohttp.ClientSession(admin.url) as http:
        style = await client.put_style(photo_png)

        async def listed() -> list[str]:
            async with http.get("/v1/styles") as reply:
                return list((await reply.json())["styles"])

        assert (await admin.load("light"))[0] == 200
        assert await listed() == [style]
        assert (await admin.load("other"))[0] == 200
        assert await listed() == []
        async with http.post(f"/v1/stylize?style={style}", data=photo_png, headers=PNG) as reply:
            assert (reply.status, (await reply.json())["code"]) == (404, "unknown-style")
        stylized = await client.stylize(frame, style)
        assert stylized.shape == frame.shape and await listed() == [style]
        assert (await admin.load("dark"))[0] == 200
        assert await listed() == [style]


async def test_a_request_keeps_the_release_that_it_began_with(
    admin: Admin, frame_png: bytes, frame: NDArray[np.uint8]
) -> None:
    """A body that comes slowly while a swap happens is answered by the old release, in full."""
    halves = frame_png[:100], frame_png[100:]
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield halves[0]
        begun.set()
        await go_on.wait()
        yield halves[1]

    async def ask() -> tuple[str, bytes]:
        path = "/v1/stylize?style=warm-light&format=png"
        async with (
            aiohttp.ClientSession(admin.url) as http,
            http.post(path, data=slowly(), headers=PNG) as reply,
        ):
            return reply.headers["Model-Version"], await reply.read()

    asking = asyncio.create_task(ask())
    await begun.wait()
    async with asyncio.timeout(10):
        while not admin.edge.bodies.held:
            await asyncio.sleep(0.01)
    assert (await admin.load("light"))[0] == 200
    go_on.set()
    version, body = await asking
    assert version == "dark"
    engine = Engine(admin.store.load("dark"), threads=1)
    assert body == encode_png(engine.stylize(frame, engine.presets["warm-light"]))


async def test_a_store_without_what_runs(stylizer: Stylizer, tmp_path: Path) -> None:
    """A stylizer that came from elsewhere is listed all the same."""
    data = DataDir(tmp_path)
    async with (
        listening(stylizer, data=data),
        aiohttp.ClientSession(data.admin_url()) as http,
        http.post(INDEX) as reply,
    ):
        assert await reply.json() == [{"name": "stylizer", "version": "test-1", "state": "READY", "reason": ""}]
