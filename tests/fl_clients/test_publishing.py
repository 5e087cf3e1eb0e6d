"""Rounds from the cloud's real backup endpoint to real edges: swapped in, or turned away."""

import asyncio
import hashlib
import json
import re
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import numpy as np
import pytest
import torch

from fl_clients.backup import Backup
from fl_clients.child_process import own_environment
from fl_clients.publishing import Outcome, Publisher
from fl_clients.settings import TrainerSettings
from inference.data_dir import DataDir
from inference.model_store import ModelStore
from mvstylizer.errors import EdgeError, InputError
from mvstylizer.network.stylizer import Stylizer
from mvstylizer.pictures import encode_png
from mvstylizer.training.checkpoint_files import WEIGHTS
from tests.fl_clients.cloud_backup import TOKEN, Cloud, serving
from tests.fl_clients.frame_stores import photographs, settings_in
from tests.fl_clients.test_reweighting import changed
from tests.inference.stores import administered
from tests.recoveries import measured

pytestmark = pytest.mark.slow
PNG = {"Content-Type": "image/png"}


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    async with serving(tmp_path / "cloud") as running:
        yield running


@pytest.fixture
def settings(frames: Path, tmp_path: Path) -> TrainerSettings:
    return settings_in(tmp_path, held_out=4)


@pytest.fixture
def publisher(cloud: Cloud, settings: TrainerSettings) -> Publisher:
    return _publisher(cloud, settings)


def _publisher(cloud: Cloud, settings: TrainerSettings, tolerance: float = 0.05) -> Publisher:
    return Publisher(Backup(cloud.url, settings.data_dir / "checkpoints", TOKEN), settings, tolerance)


async def test_a_round_is_swapped_in(
    publisher: Publisher, cloud: Cloud, settings: TrainerSettings, stylizer: Stylizer
) -> None:
    """A round that is as good as the running release takes its place, once, with the codes of before."""
    cloud.save(changed(stylizer, 1e-3), 7)
    async with administered(DataDir(settings.edge_data_dir)) as admin:
        encoder = admin.edge.stylizer.encoder_sha256
        published = await publisher.step()
        assert published is not None and published.outcome is Outcome.SWAPPED
        assert "held-out frames" in published.told
        assert admin.edge.stylizer.version == "round-000007"
        assert admin.edge.stylizer.encoder_sha256 == encoder
        assert await publisher.step() is None
        assert await _publisher(cloud, settings).step() is None, "after a restart it is known still"
        assert admin.swaps() == {"swapped": 1}
    assert not (settings.data_dir / "candidate").exists()


async def test_no_request_fails_while_a_round_comes(
    publisher: Publisher, cloud: Cloud, settings: TrainerSettings, stylizer: Stylizer, tmp_path: Path
) -> None:
    """An edge in a process of its own answers every request while its trainer swaps a round in."""
    cloud.save(changed(stylizer, 1e-3), 7)
    photo, frame = (encode_png(np.ascontiguousarray(picture[:64, :96])) for picture in photographs()[:2])
    style = hashlib.sha256(photo).hexdigest()
    async with _edge_process(settings.edge_data_dir) as url, aiohttp.ClientSession(url) as http:
        statuses: list[int] = []
        versions: set[str] = set()

        async def ask() -> None:
            while True:
                async with http.put(f"/v1/styles/{style}", data=photo, headers=PNG) as put:
                    statuses.append(put.status)
                async with http.post(f"/v1/stylize?style={style}", data=frame, headers=PNG) as reply:
                    await reply.read()
                    statuses.append(reply.status)
                async with http.get("/v2/models/stylizer") as told:
                    versions.add((await told.json())["version"])

        asking = asyncio.create_task(ask())
        published = await publisher.step()
        await asyncio.sleep(1)
        asking.cancel()
    assert published is not None and published.outcome is Outcome.SWAPPED
    assert set(statuses) <= {200, 201} and len(statuses) > 10
    assert "round-000007" in versions and len(versions) == 2


@asynccontextmanager
async def _edge_process(data_dir: Path) -> AsyncIterator[str]:
    """``mvstylizer serve`` on a data directory."""
    command = [sys.executable, "-m", "mvstylizer", "serve", "--port", "0", "--data-dir", str(data_dir), "--log", "none"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=own_environment())
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        found = re.search(r"http://\S+", line)
        assert found, line
        yield found[0]
    finally:
        process.terminate()
        await process.wait()


async def test_a_worse_round_is_not_published(
    publisher: Publisher, cloud: Cloud, settings: TrainerSettings, stylizer: Stylizer
) -> None:
    """A round that is worse on the edge's own held-out frames stays out, is said to, and is not tried again."""
    cloud.save(changed(stylizer, 1.0), 7)
    async with administered(DataDir(settings.edge_data_dir)) as admin:
        running = admin.edge.stylizer.version
        published = await publisher.step()
        assert published is not None and published.outcome is Outcome.WORSE
        assert "worse" in published.told
        assert admin.edge.stylizer.version == running
        assert "round-000007" not in admin.store.names()
        asked = len(cloud.asked)
        assert await publisher.step() is None and await _publisher(cloud, settings).step() is None
        assert not [path for path in cloud.asked[asked:] if not path.endswith("latest")]


async def test_what_runs_already(
    publisher: Publisher, cloud: Cloud, settings: TrainerSettings, stylizer: Stylizer
) -> None:
    """A cloud begins with the release that edges have; that is not swapped in, nor measured again and again."""
    cloud.save(stylizer, 0)
    async with administered(DataDir(settings.edge_data_dir)) as admin:
        running = admin.edge.stylizer.version
        published = await publisher.step()
        assert published is not None and (published.outcome, published.version) == (Outcome.SAME, running)
        assert await publisher.step() is None
        assert admin.edge.stylizer.version == running and admin.store.names() == [running]


async def test_not_a_number_is_worse(
    publisher: Publisher, cloud: Cloud, settings: TrainerSettings, stylizer: Stylizer
) -> None:
    """A poisoned checkpoint that reached the backup all the same does not reach the edge."""
    poisoned = changed(stylizer, 0.0)
    with torch.no_grad():
        poisoned.get_parameter("decoder.to_grid.weight")[0] = torch.nan
    cloud.save(poisoned, 7)
    published = await publisher.step()
    assert published is not None and published.outcome in (Outcome.WORSE, Outcome.REFUSED)
    assert ModelStore(settings.edge_data_dir / "releases").names() == []


async def test_an_edge_without_frames_is_restored(cloud: Cloud, tmp_path: Path, stylizer: Stylizer) -> None:
    """An edge that lost its disk gets the newest round without having anything to compare it on, before it runs, and
    runs on it in less than a minute."""
    settings = settings_in(tmp_path)
    publisher = _publisher(cloud, settings)
    cloud.save(changed(stylizer, 1e-3), 7)
    began = time.monotonic()
    published = await publisher.step()
    assert published is not None and published.outcome is Outcome.SET
    assert "no held-out frames" in published.told
    async with administered(DataDir(settings.edge_data_dir)) as admin:
        seconds = time.monotonic() - began
        assert admin.edge.stylizer.version == "round-000007"
    measured("an edge lost its disk, until it runs on the cloud's newest round", seconds)
    # Issue 6 asks for this one; it takes a few seconds.
    assert seconds < 60
    # The disk is lost while the trainer runs on.
    shutil.rmtree(settings.edge_data_dir)
    again = await publisher.step()
    assert again is not None and again.outcome is Outcome.SET
    assert ModelStore(settings.edge_data_dir / "releases").current == "round-000007"


async def test_a_damaged_download_is_not_published(
    publisher: Publisher, cloud: Cloud, settings: TrainerSettings, stylizer: Stylizer
) -> None:
    """Bytes that are not the cloud's never become a release; when they come whole, they do."""
    cloud.save(changed(stylizer, 1e-3), 7)
    cloud.damage = lambda name, data: data[:-9] if name == WEIGHTS else data
    with pytest.raises(InputError, match="damaged"):
        await publisher.step()
    assert ModelStore(settings.edge_data_dir / "releases").names() == []
    cloud.damage = None
    published = await publisher.step()
    assert published is not None and published.outcome is Outcome.SET


async def test_a_training_that_began_anew(
    publisher: Publisher, cloud: Cloud, settings: TrainerSettings, stylizer: Stylizer
) -> None:
    """A version never changes: another round of the same number gets a name of its own."""
    cloud.save(changed(stylizer, 1e-3), 7)
    await publisher.step()
    cloud.save(changed(stylizer, 1e-3, seed=1), 7)
    published = await publisher.step()
    assert published is not None and published.outcome is Outcome.SET
    names = ModelStore(settings.edge_data_dir / "releases").names()
    assert len(names) == 2 and all(name.startswith("round-000007") for name in names)


async def test_an_edge_that_cannot_be_asked(
    publisher: Publisher, cloud: Cloud, settings: TrainerSettings, stylizer: Stylizer
) -> None:
    """A round whose swap failed is tried again under the same name, when the edge is well."""
    cloud.save(changed(stylizer, 1e-3), 7)
    data = DataDir(settings.edge_data_dir)
    lock = data.lock()
    data.tell_admin_url("http://127.0.0.1:9")
    with pytest.raises(EdgeError, match="does not answer"):
        await publisher.step()
    lock.release()
    published = await publisher.step()
    assert published is not None
    assert (published.version, published.outcome) == ("round-000007", Outcome.SET)


async def test_trouble_is_told_once(
    cloud: Cloud, settings: TrainerSettings, stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloud that is away for a while is told of once, and then the next round comes through."""
    told: list[str] = []
    backup = Backup("http://127.0.0.1:9", settings.data_dir / "checkpoints", TOKEN)
    task = asyncio.create_task(Publisher(backup, settings, 0.05).run_for_ever(0.05, told.append))
    await asyncio.sleep(1.0)
    (line,) = told
    assert "does not answer" in line
    cloud.save(changed(stylizer, 1e-3), 7)
    backup.url = cloud.url
    async with asyncio.timeout(120):
        while len(told) == 1:
            await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "round-000007" in told[1]
    (entry,) = json.loads((settings.data_dir / "published.json").read_text()).values()
    assert entry["seconds"].keys() == {"fetch", "candidate", "swap"}


async def test_the_process_dies_with_its_publisher(
    publisher: Publisher, cloud: Cloud, stylizer: Stylizer, settings: TrainerSettings
) -> None:
    """When the trainer is stopped, no process that makes a release stays behind, nor half a release."""
    cloud.save(changed(stylizer, 1e-3), 7)
    task = asyncio.create_task(publisher.step())
    async with asyncio.timeout(60):
        while not list((settings.data_dir / "checkpoints").glob("round-*")):
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ModelStore(settings.edge_data_dir / "releases").names() == []
    published = await publisher.step()
    assert published is not None and published.version == "round-000007"
