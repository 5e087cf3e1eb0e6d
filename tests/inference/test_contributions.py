"""Key frames that are offered: kept only if both sides want it, truthfully told of, and gone when asked for."""

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from blockbuster import blockbuster_ctx
from numpy.typing import NDArray
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from inference.contributions import Collect
from inference.data_dir import DataDir
from inference.frame_store import FrameStore
from inference.limits import Limits
from inference.serve import listening
from inference.stylizer import Stylizer
from inference.training_frames import TrainingFrames
from mvstylizer.errors import InputError, UsageError
from mvstylizer.pictures import encode_jpeg
from tests.inference.contributed import ALICE, BOB, offered, share_found

JPEG = {"Content-Type": "image/jpeg"}
KEY = 8 * "0123"
Answer = tuple[int, str | None]


class Device:
    """Somebody who sends key frames to an edge."""

    def __init__(self, http: aiohttp.ClientSession, style: str) -> None:
        self._http, self._style = http, style

    async def send(self, picture: bytes, contributor: str | None = None, key: str | None = None) -> Answer:
        """Status and Contribution of the answer."""
        headers = JPEG | ({} if contributor is None else {"Contributor": contributor})
        headers |= {} if key is None else {"Idempotency-Key": key}
        async with self._http.post(f"/v1/stylize?style={self._style}", data=picture, headers=headers) as reply:
            await reply.read()
            return reply.status, reply.headers.get("Contribution")

    async def ask(self, method: str, contributor: str) -> tuple[int, dict[str, object]]:
        """Status and body."""
        async with self._http.request(method, f"/v1/contributions/{contributor}") as reply:
            return reply.status, await reply.json()

    async def metrics(self) -> dict[str, float]:
        """Those of contributions."""
        async with self._http.get("/metrics") as reply:
            families = list(text_string_to_metric_families(await reply.text()))
        return {
            "_".join((sample.name.removeprefix("mvstylizer_"), *sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
            if "contribut" in sample.name and not sample.name.endswith("_created")
        }


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "edge")


@asynccontextmanager
async def device_on(
    stylizer: Stylizer,
    photo_png: bytes,
    data: DataDir | None,
    collect: Collect = Collect.OPT_IN,
    limits: Limits | None = None,
) -> AsyncIterator[Device]:
    """A device on a fresh edge that may not wait for the disk on its event loop."""
    async with (
        listening(stylizer, data=data, collect=collect, limits=limits) as (url, _),
        aiohttp.ClientSession(url) as http,
    ):
        with blockbuster_ctx(scanned_modules=["inference"]):
            style = hashlib.sha256(photo_png).hexdigest()
            async with http.put(f"/v1/styles/{style}", data=photo_png, headers={"Content-Type": "image/png"}) as reply:
                assert reply.status == 201
            yield Device(http, style)


def rows(data: DataDir) -> list[tuple[bytes, int, int, str, str, bytes]]:
    """What the edge has kept."""
    connection = sqlite3.connect(data.frames)
    asked = "SELECT picture, width, height, release, encoder, code FROM frames JOIN pictures ON frame = id ORDER BY id"
    found = connection.execute(asked).fetchall()
    connection.close()
    return found


async def test_an_offered_frame_is_kept_as_it_came(
    stylizer: Stylizer, photo: NDArray[np.uint8], photo_png: bytes, data: DataDir
) -> None:
    """Its own bytes with the style code that it was stylized with, once; and the answer says so."""
    wide = encode_jpeg(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8), 95)
    async with device_on(stylizer, photo_png, data) as device:
        assert await device.send(wide, ALICE) == (200, "kept")
        assert await device.send(wide, ALICE) == (200, "duplicate")
        assert await device.send(wide, BOB) == (200, "kept")
        code = stylizer.encode_style(photo).tobytes()
        assert rows(data) == 2 * [(wide, 64, 48, stylizer.version, stylizer.encoder_sha256, code)]
        told = await device.metrics()
        assert told.pop("contributed_bytes") > 0
        assert told == {"contributed_frames": 2, "contributions_total_kept": 2, "contributions_total_duplicate": 1}


async def test_without_an_offer_nothing_is_kept(stylizer: Stylizer, photo_png: bytes, data: DataDir) -> None:
    """Neither a row nor a trace in the files, and the answer says nothing of contributions."""
    async with device_on(stylizer, photo_png, data) as device:
        assert await device.send(offered(1).picture) == (200, None)
        assert await device.send(offered(2).picture, ALICE) == (200, "kept")
        assert share_found(offered(1).picture, data.frames) == 0
        assert share_found(offered(2).picture, data.frames) > 0.9
    assert [row[0] for row in rows(data)] == [offered(2).picture]


@pytest.mark.parametrize("has_data", [True, False])
async def test_an_edge_that_does_not_collect_refuses(
    stylizer: Stylizer, photo_png: bytes, data: DataDir, has_data: bool
) -> None:
    """The frame is stylized, nothing is kept, no file is made, and there is nothing to count."""
    async with device_on(stylizer, photo_png, data if has_data else None, Collect.NEVER) as device:
        assert await device.send(offered(1).picture, ALICE) == (200, "refused")
        assert await device.ask("GET", ALICE) == (200, {"frames": 0, "bytes": 0})
        assert await device.ask("DELETE", ALICE) == (200, {"deleted": 0})
        assert (await device.metrics())["contributions_total_refused"] == 1
    assert not data.frames.exists()


async def test_what_was_collected_once_can_be_deleted_for_ever(
    stylizer: Stylizer, photo_png: bytes, data: DataDir
) -> None:
    """Also from an edge that no longer collects."""
    async with device_on(stylizer, photo_png, data) as device:
        await device.send(offered(1).picture, ALICE)
    async with device_on(stylizer, photo_png, data, Collect.NEVER) as device:
        assert await device.send(offered(2).picture, ALICE) == (200, "refused")
        assert await device.ask("GET", ALICE) == (200, {"frames": 1, "bytes": len(offered(1).picture)})
        assert await device.ask("DELETE", ALICE) == (200, {"deleted": 1})
        assert share_found(offered(1).picture, data.frames) == 0


async def test_a_contributor_counts_and_deletes_its_own(stylizer: Stylizer, photo_png: bytes, data: DataDir) -> None:
    """By its id alone; another's stay; what is deleted is nowhere in the files while the edge runs on."""
    async with device_on(stylizer, photo_png, data) as device:
        for seed in range(6):
            assert await device.send(offered(seed).picture, (ALICE, BOB)[seed % 2]) == (200, "kept")
        size = sum(len(offered(seed).picture) for seed in (0, 2, 4))
        assert await device.ask("GET", ALICE) == (200, {"frames": 3, "bytes": size})
        assert min(share_found(offered(seed).picture, data.frames) for seed in range(6)) > 0.9
        assert await device.ask("DELETE", ALICE) == (200, {"deleted": 3})
        assert max(share_found(offered(seed).picture, data.frames) for seed in (0, 2, 4)) == 0
        assert min(share_found(offered(seed).picture, data.frames) for seed in (1, 3, 5)) > 0.9
        assert (await device.metrics())["contributed_frames"] == 3
        unknown = await device.ask("GET", "0" * 32), await device.ask("DELETE", "0" * 32)
        assert unknown == (await device.ask("GET", ALICE), await device.ask("DELETE", ALICE))


@pytest.mark.parametrize("contributor", ["me", "", 32 * "A", 33 * "a", 31 * "a", 64 * "a"])
async def test_what_is_no_contributor_is_refused(
    stylizer: Stylizer, photo_png: bytes, data: DataDir, contributor: str
) -> None:
    """400 for the request, before its frame is looked at."""
    async with device_on(stylizer, photo_png, data) as device:
        assert await device.send(b"no picture", contributor) == (400, None)
        if contributor:
            status, told = await device.ask("DELETE", contributor)
            assert (status, told["code"]) == (400, "bad-contributor")
    assert rows(data) == []


async def test_a_replay_keeps_nothing_again(stylizer: Stylizer, photo_png: bytes, data: DataDir) -> None:
    """The same answer, also when the frame was deleted in between; another contributor is another request."""
    async with device_on(stylizer, photo_png, data) as device:
        assert await device.send(offered(1).picture, ALICE, KEY) == (200, "kept")
        await device.ask("DELETE", ALICE)
        assert await device.send(offered(1).picture, ALICE, KEY) == (200, "kept")
        assert await device.send(offered(1).picture, BOB, KEY) == (409, None)
        assert await device.send(offered(1).picture, None, KEY) == (409, None)
        assert (await device.metrics())["contributions_total_kept"] == 1
    assert rows(data) == []


async def test_pictures_that_tell_more_are_not_kept(
    stylizer: Stylizer, photo_png: bytes, data: DataDir, tmp_path: Path
) -> None:
    """A photo with its place in it is stylized, and refused as a contribution."""
    tags = Image.Exif()
    tags.get_ifd(0x8825)[1] = "N"
    Image.new("RGB", (64, 48)).save(tmp_path / "photo.jpg", exif=tags)
    async with device_on(stylizer, photo_png, data) as device:
        assert await device.send((tmp_path / "photo.jpg").read_bytes(), ALICE) == (200, "refused")
    assert rows(data) == []


async def test_what_cannot_be_stylized_is_not_kept(stylizer: Stylizer, photo_png: bytes, data: DataDir) -> None:
    """Garbage and truncated pictures never reach the store."""
    async with device_on(stylizer, photo_png, data) as device:
        for garbage in (b"\xff\xd8 no picture", offered(1).picture[:-500]):
            assert await device.send(garbage, ALICE) == (422, None)
    assert rows(data) == []


async def test_bounds_are_the_limits(stylizer: Stylizer, photo_png: bytes, data: DataDir) -> None:
    """As many bytes as the edge's limits allow, which its metadata tell; the rest makes room."""
    limits = Limits(max_collected_bytes=300_000)
    async with device_on(stylizer, photo_png, data, limits=limits) as device:
        answers = [await device.send(offered(seed).picture, ALICE) for seed in range(20)]
        assert answers == 20 * [(200, "kept")]
        told = await device.metrics()
        assert told["contributed_bytes"] <= 300_000
        assert 5 < told["contributed_frames"] < 20


async def test_what_grew_too_old_goes_at_the_start(stylizer: Stylizer, photo_png: bytes, data: DataDir) -> None:
    """An edge that was off meanwhile deletes it first of all."""
    store = FrameStore(data.frames, 10**8, 30 * 86_400, clock=lambda: 20_000 * 86_400.0)
    store.add(ALICE, offered(1))
    store.close()
    async with device_on(stylizer, photo_png, data, Collect.NEVER) as device:
        assert await device.ask("GET", ALICE) == (200, {"frames": 0, "bytes": 0})
        assert share_found(offered(1).picture, data.frames) == 0


async def test_the_trainer_reads_beside_the_edge(stylizer: Stylizer, photo_png: bytes, data: DataDir) -> None:
    """What is kept can be sampled while the edge runs."""
    async with device_on(stylizer, photo_png, data) as device:
        pictures = {offered(seed, size=16).picture for seed in range(12)}
        for picture in pictures:
            await device.send(picture, ALICE)
        assert await asyncio.to_thread(_trained_on, data.frames) == pictures
        assert await device.send(offered(99, size=16).picture, ALICE) == (200, "kept")


def _trained_on(store: Path) -> set[bytes]:
    """As a trainer does: every picture there is, marked as used."""
    with TrainingFrames(store) as frames:
        rng = np.random.default_rng(0)
        found = frames.sample(99, 1, rng) + frames.sample(99, 1, rng, held_out=True)
        frames.mark_used([each.id for each in found])
    return {each.picture for each in found}


async def test_a_locked_store_delays_no_reply_for_long(stylizer: Stylizer, photo_png: bytes, data: DataDir) -> None:
    """Somebody holds the database for ever: frames are stylized and refused, none waits for those before it."""
    async with device_on(stylizer, photo_png, data, limits=Limits(queue=6)) as device:  # nobody is turned away
        other = sqlite3.connect(data.frames, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        answers = await asyncio.gather(*(device.send(offered(seed, size=16).picture, ALICE) for seed in range(6)))
        other.execute("COMMIT")
        other.close()
        assert answers == 6 * [(200, "refused")]
        told = await device.metrics()
        assert told["contributions_total_failed"] + told.get("contributions_total_refused", 0) == 6
        assert await device.send(offered(9).picture, ALICE) == (200, "kept")
    assert len(rows(data)) == 1


async def test_collecting_needs_a_place(stylizer: Stylizer) -> None:
    """Without a data directory an edge that is to collect does not start."""
    with pytest.raises(UsageError, match="--data-dir"):
        async with listening(stylizer, collect=Collect.OPT_IN):
            pass


async def test_an_edge_does_not_start_on_a_damaged_store(stylizer: Stylizer, data: DataDir) -> None:
    """Whether it collects or not; the file stays as it is, and the data directory is free again."""
    data.frames.write_bytes(b"garbage" * 1000)
    for collect in (Collect.OPT_IN, Collect.NEVER):
        with pytest.raises(InputError, match="is damaged"):
            async with listening(stylizer, data=data, collect=collect):
                pass
    assert data.frames.read_bytes() == b"garbage" * 1000
