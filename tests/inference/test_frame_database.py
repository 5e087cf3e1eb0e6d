"""The frame store's file under faults: kills, a full disk, damage, and files that are something else."""

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.frame_store import Contribution, FrameStore
from inference.training_frames import TrainingFrames
from mvstylizer.errors import InputError, NoSpaceError, OutputError
from tests.inference.contributed import ALICE, offered, share_found

ROOT = Path(__file__).parents[2]
DAYS = 30 * 86_400
WRITER = """
import sys
from pathlib import Path
from inference.frame_store import FrameStore
from tests.inference.contributed import ALICE, offered

store = FrameStore(Path(sys.argv[1]), 100_000_000, 30 * 86_400)
for seed in range(int(sys.argv[2]), 10**6):
    store.add(ALICE, offered(seed))
    print(seed, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "frames.sqlite"


def filled(path: Path, frames: int = 30) -> None:
    store = FrameStore(path, 100_000_000, DAYS)
    for seed in range(frames):
        store.add(ALICE, offered(seed))
    store.close()


@pytest.mark.slow
@pytest.mark.failure("F2")
def test_a_killed_writer_loses_nothing_that_it_acknowledged(path: Path) -> None:
    """Killed (-9) ten times in the middle of writing, the database is whole and has every frame that was told of."""
    chance, acknowledged = random.Random(5), list[int]()
    for _ in range(10):
        first = max(acknowledged, default=-1) + 2
        command = [sys.executable, "-c", WRITER, str(path), str(first)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            acknowledged.append(int(writer.stdout.readline()))
            time.sleep(chance.uniform(0, 0.3))
            writer.send_signal(signal.SIGKILL)
            acknowledged += map(int, writer.stdout.read().split())
        assert writer.returncode == -signal.SIGKILL
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        pictures = {picture for (picture,) in connection.execute("SELECT picture FROM pictures")}
    connection.close()
    assert len(acknowledged) > 10
    assert [seed for seed in acknowledged if offered(seed).picture not in pictures] == []
    store = FrameStore(path, 100_000_000, DAYS)
    assert store.frames() == len(pictures) <= len(acknowledged) + 10


@pytest.mark.failure("F6")
def test_a_full_disk_is_told_and_loses_nothing(path: Path) -> None:
    """A file that may not grow: the frame is refused with an error, those before stay, and with room it goes on."""
    store, soft, hard = FrameStore(path, 100_000_000, DAYS), *resource.getrlimit(resource.RLIMIT_FSIZE)
    store.add(ALICE, offered(0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
    try:
        with pytest.raises((OutputError, NoSpaceError)) as raised:
            for seed in range(1, 100):
                store.add(ALICE, offered(seed))
        kept = store.frames()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(path) in str(raised.value)
    assert 1 <= kept < 10
    assert [store.add(ALICE, offered(seed)).value for seed in range(kept)] == kept * ["duplicate"]
    assert store.add(ALICE, offered(kept)) is Contribution.KEPT
    assert store.delete(ALICE) == kept + 1
    assert max(share_found(offered(seed).picture, path) for seed in range(kept + 1)) == 0


def _garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(50_000))


def _altered(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8192 : len(data) // 2] = random.Random(1).randbytes(len(data) // 2 - 8192)
    path.write_bytes(data)


def _halved(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)


@pytest.mark.parametrize("spoil", [_garbage, _altered, _halved])
def test_a_damaged_file_is_told_of_and_left_alone(path: Path, spoil: Callable[[Path], None]) -> None:
    """At the start, with what to do; nothing of it is changed, for whoever wants to save what can be read."""
    filled(path)
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"frames\.sqlite.* is damaged .*move it .*recover"):
        FrameStore(path, 100_000_000, DAYS)
    assert path.read_bytes() == before


def test_a_trainer_is_told_of_damage_too(path: Path) -> None:
    """At the start or when it meets it."""
    filled(path)
    _garbage(path)
    with pytest.raises(InputError, match="is damaged"):
        TrainingFrames(path)


def test_other_databases_are_refused(path: Path, tmp_path: Path) -> None:
    """One of a newer version asks for an update; one that is no frame store, or no file, is not made into one."""
    filled(path, 1)
    for version, message in ((2, "newer version.*update"), (0, "no frame store")):
        with sqlite3.connect(path) as connection:
            connection.execute(f"PRAGMA user_version = {version}")
        connection.close()
        for refused in (lambda: FrameStore(path, 10**8, DAYS), lambda: TrainingFrames(path)):
            with pytest.raises(InputError, match=message):
                refused()
    with pytest.raises(OutputError, match="--data-dir"):
        FrameStore(tmp_path, 10**8, DAYS)


def test_a_lock_that_stays_is_told_of(path: Path) -> None:
    """Another process that keeps the store locked does not keep a frame waiting for long."""
    store = FrameStore(path, 10**8, DAYS)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(OutputError, match="locked"):
        store.add(ALICE, offered(1))
    waited = time.monotonic() - began
    other.execute("COMMIT")
    other.close()
    assert store.add(ALICE, offered(1)) is Contribution.KEPT
    assert waited < 4  # the trainer's own patience is five seconds
