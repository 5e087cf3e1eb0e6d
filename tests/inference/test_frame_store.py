"""The store of contributed frames: no duplicates, bounds that hold, and deletion that leaves nothing."""

import hashlib
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from inference.frame_database import is_held_out
from inference.frame_store import Contribution, FrameStore
from inference.training_frames import TrainingFrames
from tests.inference.contributed import ALICE, BOB, offered, share_found

DAY = 86_400
MEGABYTE = 1_000_000


class Clock:
    """A clock that goes when told to."""

    def __init__(self) -> None:
        self.now = 20_000.25 * DAY

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "frames.sqlite"


def store_at(path: Path, megabytes: float = 100, days: float = 30, clock: Clock | None = None) -> FrameStore:
    return FrameStore(path, int(megabytes * MEGABYTE), days * DAY, clock=clock or Clock())


def files_bytes(path: Path) -> int:
    """Of the database without its log."""
    return path.stat().st_size


def test_a_frame_is_kept_once_for_each_contributor(path: Path) -> None:
    """The same picture again is a duplicate, whatever its style; from somebody else it is not."""
    store, frame = store_at(path), offered(1)
    other_style = replace(frame, code=frame.code + 1)
    given = [(ALICE, frame), (ALICE, frame), (ALICE, other_style), (BOB, frame), (ALICE, offered(2))]
    results = [store.add(who, what).value for who, what in given]
    assert results == ["kept", "duplicate", "duplicate", "kept", "kept"]
    assert store.frames() == 3
    assert store.count(ALICE) == (2, len(frame.picture) + len(offered(2).picture))
    assert store.count(BOB) == (1, len(frame.picture))
    assert store.count("0" * 32) == (0, 0)


def test_what_is_kept_is_in_the_schema_and_nothing_else(path: Path) -> None:
    """The picture as it came, its size and style, the day; of the contributor only a digest."""
    store, frame = store_at(path), offered(1)
    store.add(ALICE, frame)
    store.close()
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        (row,) = connection.execute("SELECT * FROM frames JOIN pictures ON frame = id").fetchall()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    content = hashlib.sha256(frame.picture).digest()
    assert (version, dict(row)) == (
        1,
        {
            "id": 1,
            "contributor": hashlib.sha256(ALICE.encode()).digest(),
            "content": content,
            "day": 20_000,
            "bytes": len(frame.picture),
            "width": 100,
            "height": 100,
            "code": frame.code.tobytes(),
            "release": "test-1",
            "encoder": "e" * 64,
            "held_out": int(is_held_out(content)),
            "uses": 0,
            "frame": 1,
            "picture": frame.picture,
        },
    )
    raw = path.read_bytes()
    assert ALICE.encode() not in raw and bytes.fromhex(ALICE) not in raw
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_goes_on_where_it_stopped(path: Path) -> None:
    """Frames and their count outlive the process's end."""
    first = store_at(path)
    first.add(ALICE, offered(1))
    first.close()
    second = store_at(path)
    assert (second.frames(), second.add(ALICE, offered(1))) == (1, Contribution.DUPLICATE)


def test_bytes_are_bounded_and_the_oldest_go_first(path: Path) -> None:
    """At no time is more in use than allowed, the file stays as small, and the newest frames are there."""
    store = store_at(path, megabytes=0.5)
    for seed in range(60):
        assert store.add(ALICE, offered(seed)) is Contribution.KEPT
        assert store.used_bytes() <= MEGABYTE / 2
    assert files_bytes(path) < 0.6 * MEGABYTE
    assert store.frames() == store.count(ALICE)[0] < 40
    with TrainingFrames(path) as frames:
        assert frames.available(1) + frames.available(1, held_out=True) == store.frames()
    newest = range(60 - store.frames(), 60)
    assert [store.add(ALICE, offered(seed)) for seed in newest] == len(newest) * [Contribution.DUPLICATE]


def test_a_frame_that_alone_is_too_much_is_refused(path: Path) -> None:
    """And takes no other's place."""
    store = store_at(path, megabytes=0.12)
    assert store.add(ALICE, offered(1)) is Contribution.KEPT
    assert store.add(ALICE, offered(2, size=500)) is Contribution.REFUSED
    assert (store.frames(), store.add(ALICE, offered(1))) == (1, Contribution.DUPLICATE)


def test_a_smaller_bound_is_kept_too(path: Path) -> None:
    """What was collected under a larger bound is cut back, and the disk gets the room."""
    store = store_at(path)
    for seed in range(60):
        store.add(ALICE, offered(seed))
    store.close()
    before = files_bytes(path)
    smaller = store_at(path, megabytes=0.5)
    assert smaller.prune() > 20
    assert files_bytes(path) <= MEGABYTE / 2 < before
    assert smaller.frames() == smaller.count(ALICE)[0] > 0


def test_no_frame_grows_older_than_allowed(path: Path) -> None:
    """By the day that it came, in whole: never a moment longer; younger ones stay."""
    clock = Clock()
    store = store_at(path, days=30, clock=clock)
    store.add(ALICE, offered(1))
    clock.now += 10 * DAY
    store.add(ALICE, offered(2))
    clock.now += 19 * DAY
    assert (store.prune(), store.frames()) == (0, 2)
    clock.now += DAY
    assert (store.prune(), store.frames()) == (1, 1)
    assert share_found(offered(1).picture, path) == 0
    assert store.add(ALICE, offered(2)) is Contribution.DUPLICATE


def test_deleted_pictures_are_gone_from_the_disk(path: Path) -> None:
    """From the file, its log and its unused pages; the file shrinks, and other contributors lose nothing."""
    store = store_at(path)
    for seed in range(0, 20, 2):
        store.add(ALICE, offered(seed))
        store.add(BOB, offered(seed + 1))
    assert min(share_found(offered(seed).picture, path) for seed in range(20)) > 0.9
    assert store.delete(ALICE) == 10
    assert max(share_found(offered(seed).picture, path) for seed in range(0, 20, 2)) == 0
    assert min(share_found(offered(seed).picture, path) for seed in range(1, 20, 2)) > 0.9
    assert path.with_name("frames.sqlite-wal").stat().st_size == 0
    assert files_bytes(path) == store.used_bytes()
    assert (store.delete(ALICE), store.count(ALICE), store.frames()) == (0, (0, 0), 10)
    assert hashlib.sha256(ALICE.encode()).digest() not in path.read_bytes()


def test_what_one_deletes_another_keeps(path: Path) -> None:
    """The same picture of two contributors is two, and stays while one of them wants it to."""
    store, frame = store_at(path), offered(1)
    store.add(ALICE, frame)
    store.add(BOB, frame)
    assert (store.delete(BOB), store.count(ALICE)[0]) == (1, 1)
    assert share_found(frame.picture, path) > 0.9
