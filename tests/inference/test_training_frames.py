"""What the trainer, a process of its own, has of the frame store while the edge writes to it."""

import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.frame_store import Contribution, FrameStore
from inference.training_frames import TrainingFrames
from mvstylizer.errors import InputError, OutputError
from mvstylizer.pictures import decode_picture
from tests.inference.contributed import ALICE, CODE, offered, share_found

ROOT = Path(__file__).parents[2]
TRAINER = """
import sys
import time
from pathlib import Path
import numpy as np
from inference.training_frames import TrainingFrames

rng, marked = np.random.default_rng(0), 0
with TrainingFrames(Path(sys.argv[1])) as frames:
    print("ready", flush=True)
    for _ in range(int(sys.argv[2])):
        found = frames.sample(4, 10**6, rng)
        frames.mark_used([each.id for each in found])
        marked += len(found)
        time.sleep(0.003)
print(marked, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "frames.sqlite"


@pytest.fixture
def store(path: Path) -> FrameStore:
    """Sixty small frames."""
    store = FrameStore(path, 100_000_000, 30 * 86_400)
    for seed in range(60):
        store.add(ALICE, offered(seed, size=16))
    return store


def test_a_sample_is_of_whole_frames(store: FrameStore, path: Path) -> None:
    """Picture, size and code are those of one contribution; none comes twice, and no more come than there are."""
    by_picture = {offered(seed, size=16).picture: seed for seed in range(60)}
    with TrainingFrames(path) as frames:
        found = frames.sample(1000, 1, np.random.default_rng(0))
        assert len({each.id for each in found}) == len(found) == frames.available(1)
        for each in found:
            assert each.picture in by_picture
            assert decode_picture(each.picture).shape == (each.height, each.width, 3) == (16, 16, 3)
            np.testing.assert_array_equal(each.code, CODE)
            assert each.code.dtype == np.float32
            assert (each.release, each.encoder, each.uses) == ("test-1", "e" * 64, 0)


def test_about_an_eighth_is_held_out_for_ever(store: FrameStore, path: Path) -> None:
    """By content: the two shares never meet, and a frame that comes again is on the same side."""
    rng = np.random.default_rng(0)

    def pictures(held_out: bool) -> set[bytes]:
        with TrainingFrames(path) as frames:
            return {each.picture for each in frames.sample(60, 1, rng, held_out)}

    trained, held_out = pictures(False), pictures(True)
    assert not trained & held_out
    assert len(trained) + len(held_out) == 60
    assert 1 <= len(held_out) <= 20
    store.delete(ALICE)
    for seed in reversed(range(60)):
        store.add(ALICE, offered(seed, size=16))
    assert (pictures(False), pictures(True)) == (trained, held_out)


def test_chance_is_the_callers(store: FrameStore, path: Path) -> None:
    """The same generator gives the same sample, another one another."""
    with TrainingFrames(path) as frames:
        first, again, other = (
            [each.id for each in frames.sample(10, 1, np.random.default_rng(seed))] for seed in (1, 1, 2)
        )
    assert first == again != other


def test_uses_are_counted(store: FrameStore, path: Path) -> None:
    """What was trained on often enough is no longer sampled; frames that were deleted meanwhile do not matter."""
    rng = np.random.default_rng(0)
    with TrainingFrames(path) as frames:
        ids = {each.id for each in frames.sample(60, 1, rng)}
        used = [each.id for each in frames.sample(10, 1, rng)]
        frames.mark_used(used)
        assert {each.id for each in frames.sample(60, 1, rng)} == ids - set(used)
        assert sorted({each.uses for each in frames.sample(60, 2, rng)}) == [0, 1]
        assert frames.available(2) == len(ids)
        store.delete(ALICE)
        frames.mark_used(used)
        assert (frames.sample(10, 9, rng), frames.available(9)) == ([], 0)
        store.add(ALICE, offered(1, size=16))
        assert {each.uses for held_out in (0, 1) for each in frames.sample(9, 9, rng, bool(held_out))} == {0}


def test_codes_of_another_encoder_can_be_left_out(store: FrameStore, path: Path) -> None:
    """A code means something only beside the encoder that made it."""
    for seed in range(100, 110):
        store.add(ALICE, replace(offered(seed, size=16), encoder="f" * 64))
    with TrainingFrames(path) as frames:
        found = frames.sample(1000, 1, np.random.default_rng(0), encoder="f" * 64)
        assert 0 < len(found) <= 10
        assert {each.encoder for each in found} == {"f" * 64}
        assert frames.available(1) == frames.available(1, encoder="e" * 64) + len(found)


def test_without_a_store_it_says_what_makes_one(path: Path) -> None:
    """And makes none itself."""
    with pytest.raises(InputError, match="--collect opt-in"):
        TrainingFrames(path)
    assert not path.exists()


def test_edge_and_trainer_work_at_the_same_time(store: FrameStore, path: Path) -> None:
    """A second process samples and marks while this one adds and deletes: neither fails, and no mark is lost."""
    command = [sys.executable, "-c", TRAINER, str(path), "40"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as trainer:
        assert trainer.stdout is not None and trainer.stdout.readline() == "ready\n"
        seed, results = 1000, []
        while trainer.poll() is None:
            results.append(store.add("c" * 32, offered(seed, size=16)))
            seed += 1
            if seed % 20 == 0:
                store.delete("c" * 32)
        told = trainer.stdout.read()
    assert trainer.returncode == 0
    assert len(results) > 20 and set(results) == {Contribution.KEPT}
    with TrainingFrames(path) as frames:
        # Those of the other contributor, which come and go, have taken their share of the marks with them.
        uses = sum(each.uses for each in frames.sample(10**6, 10**9, np.random.default_rng(0)))
    assert 0 < uses <= int(told) == 160


@pytest.mark.slow
def test_a_reader_that_hangs_is_told_of(store: FrameStore, path: Path) -> None:
    """While it keeps deleted pictures in the log, deletion is not called done; afterwards it is, by asking again."""
    picture = offered(1, size=16).picture
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM frames").fetchone()
    with pytest.raises(OutputError, match=r"frames\.sqlite.* reading .*log.*try again"):
        store.delete(ALICE)
    assert (store.frames(), share_found(picture, path) > 0.5) == (0, True)
    reader.execute("COMMIT")
    reader.close()
    assert (store.delete(ALICE), share_found(picture, path)) == (0, 0)


def test_a_sample_keeps_nothing_from_being_erased(store: FrameStore, path: Path) -> None:
    """A trainer that has sampled and stays open does not keep deleted pictures in the log."""
    with TrainingFrames(path) as frames:
        found = frames.sample(60, 1, np.random.default_rng(0))
        assert min(share_found(each.picture, path) for each in found) > 0.5
        store.delete(ALICE)
        assert max(share_found(each.picture, path) for each in found) == 0
