"""The model store: releases appear whole or not at all, and what is damaged never becomes current."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.model_store import ModelStore, StoredRelease, UnknownVersionError
from mvstylizer import release as releases
from mvstylizer.errors import NoSpaceError, OutputError, ReleaseError, UsageError
from mvstylizer.release import MANIFEST, PRESETS, STYLE_GRAPH, STYLIZE_GRAPH
from tests.changed_release import changed_release, constant, padded

ROOT = Path(__file__).parents[2]
_KILLS = 15


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "data" / "releases")


@pytest.fixture
def make(tmp_path: Path, preset_release: Path) -> Callable[[str], Path]:
    """Makes a release of a version in a directory of its own; each has its own look."""

    def made(version: str) -> Path:
        lift = constant("zero", len(list(tmp_path.iterdir())) / 100)
        return changed_release(preset_release, tmp_path / f"made-{version}", version, lift)

    return made


def _names(store: ModelStore) -> list[str]:
    return [path.name for path in store.directory.iterdir() if path.name != ".lock"]


def _damage(store: ModelStore, version: str) -> None:
    path = store.directory / version / STYLE_GRAPH
    path.write_bytes(path.read_bytes()[:-1])


def test_an_empty_store(store: ModelStore) -> None:
    """Has nothing, and is not made by being asked."""
    assert (store.versions(), store.current, store.previous) == ([], None, None)
    with pytest.raises(UnknownVersionError, match="it has none"):
        store.load("1")
    assert not store.directory.exists()


def test_what_is_published_can_be_loaded(store: ModelStore, make: Callable[[str], Path]) -> None:
    """With presets, but nothing else that lies in the directory; and it does not run yet."""
    source = make("1")
    (source / "notes.txt").write_text("mine")
    assert store.publish(source) == "1"
    release, original = store.load("1"), releases.load(source)
    assert (release.version, release.sha256, list(release.presets)) == ("1", original.sha256, list(original.presets))
    assert {path.name for path in (store.directory / "1").iterdir()} == {MANIFEST, STYLE_GRAPH, STYLIZE_GRAPH, PRESETS}
    assert (_names(store), store.current) == (["1"], None)


def test_the_pointer_remembers_the_one_before(store: ModelStore, make: Callable[[str], Path]) -> None:
    """Current and previous, also for another process; pointing twice at one changes nothing."""
    for version in ("1", "2", "3"):
        store.publish(make(version))
    store.point_at("1")
    assert (store.current, store.previous) == ("1", None)
    for _ in range(2):
        store.point_at("3")
        other = ModelStore(store.directory)
        assert (other.current, other.previous) == ("3", "1")
    store.point_at("1")
    assert (store.current, store.previous) == ("1", "3")


def test_a_version_never_changes(store: ModelStore, make: Callable[[str], Path], tmp_path: Path) -> None:
    """The same content again is nothing new; other content under the version is refused and changes nothing."""
    first = make("1")
    store.publish(first)
    inode = (store.directory / "1").stat().st_ino
    assert store.publish(first) == "1"
    assert store.publish(store.directory / "1") == "1"
    other = changed_release(first, tmp_path / "other", "1", padded(3))
    with pytest.raises(UsageError, match="another release has that version"):
        store.publish(other)
    assert (store.directory / "1").stat().st_ino == inode
    assert (store.load("1").sha256, _names(store)) == (releases.load(first).sha256, ["1"])


def test_a_damaged_one_says_why_and_never_becomes_current(store: ModelStore, make: Callable[[str], Path]) -> None:
    """It is listed with its reason, cannot be pointed at, and publishing it again mends it."""
    for version in ("1", "2"):
        store.publish(make(version))
    store.point_at("1")
    _damage(store, "2")
    whole, damaged = store.versions()
    assert whole == StoredRelease("1")
    assert damaged.version == "2" and "style.onnx is damaged" in damaged.reason
    with pytest.raises(ReleaseError, match="damaged"):
        store.point_at("2")
    assert store.current == "1"
    other = changed_release(store.directory / "1", store.directory.parent / "other", "2", padded(5))
    with pytest.raises(UsageError, match="another release has that version"):
        store.publish(other)
    store.publish(store.directory.parents[1] / "made-2")
    assert store.versions() == [StoredRelease("1"), StoredRelease("2")]


def test_a_damaged_one_is_not_gone_back_to(store: ModelStore, make: Callable[[str], Path]) -> None:
    """What was current before and is damaged by now is skipped for what was before it."""
    for version in ("1", "2", "3"):
        store.publish(make(version))
        if version != "3":
            store.point_at(version)
    _damage(store, "2")
    store.point_at("3")
    assert (store.current, store.previous) == ("3", "1")


@pytest.mark.parametrize("version", ["", ".", "..", "../releases/1", "/etc", ".lock", "1/..", "1\n", "current", "2"])
def test_a_version_is_no_path(store: ModelStore, make: Callable[[str], Path], version: str) -> None:
    """Nothing but a version that is in the store leads anywhere."""
    store.publish(make("1"))
    store.point_at("1")
    with pytest.raises(UnknownVersionError):
        store.load(version)
    with pytest.raises(UnknownVersionError):
        store.point_at(version)
    assert store.current == "1"


def test_a_directory_under_a_wrong_name_is_damaged(store: ModelStore, make: Callable[[str], Path]) -> None:
    """A reply would name another version than the one that was asked for."""
    store.publish(make("1"))
    shutil.copytree(store.directory / "1", store.directory / "2")
    assert "holds release 1" in {each.version: each.reason for each in store.versions()}["2"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"version": "../up", "previous": 7}', "\udcff"])
def test_a_pointer_that_makes_no_sense_is_none(store: ModelStore, make: Callable[[str], Path], text: str) -> None:
    """It is as if none was there, and can be written anew."""
    store.publish(make("1"))
    (store.directory / "current").write_bytes(text.encode(errors="surrogateescape"))
    assert (store.current, store.previous) == (None, None)
    store.point_at("1")
    assert store.current == "1"


def test_what_is_no_release_leaves_nothing(store: ModelStore, tmp_path: Path) -> None:
    """Neither a version nor rubbish."""
    for source in (tmp_path / "none", tmp_path):
        with pytest.raises(ReleaseError, match="mvstylizer export"):
            store.publish(source)
    assert _names(store) == []


def test_a_place_that_cannot_be_written(tmp_path: Path, preset_release: Path) -> None:
    """Is told in one line."""
    (tmp_path / "releases").write_text("a file")
    store = ModelStore(tmp_path / "releases")
    with pytest.raises(OutputError, match="releases"):
        store.publish(preset_release)
    with pytest.raises(OutputError, match="cannot be read"):
        store.versions()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, preset_release: Path) -> None:
    """A release that does not fit is refused, the one before it runs on, and the room is free again."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", disk], check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        store = ModelStore(disk / "releases")
        store.publish(preset_release)
        store.point_at("tiny-1")
        free = shutil.disk_usage(disk).free
        large = changed_release(preset_release, tmp_path / "large", "2", padded(3_000_000))
        with pytest.raises(NoSpaceError, match="disk full"):
            store.publish(large)
        assert (store.versions(), store.current) == ([StoredRelease("tiny-1")], "tiny-1")
        assert shutil.disk_usage(disk).free >= free - 10_000
    finally:
        subprocess.run(["umount", disk], check=True)


def test_pruning_keeps_what_may_run(store: ModelStore, make: Callable[[str], Path]) -> None:
    """The newest ones, the current and the previous one stay, whatever their age."""
    for version in ("1", "2", "3", "4", "5"):
        store.publish(make(version))
    store.point_at("2")
    store.point_at("1")
    assert store.prune(1) == ["3", "4"]
    assert [each.version for each in store.versions()] == ["1", "2", "5"]
    assert (store.prune(1), store.current, store.previous) == ([], "1", "2")


@pytest.mark.slow
@pytest.mark.failure("F5")
def test_killed_at_any_moment(store: ModelStore, tmp_path: Path, tiny_release: Path) -> None:
    """F5: after kill -9 the pointer leads to a whole release, every one that is seen is whole, rubbish goes away."""
    made = [
        changed_release(tiny_release, tmp_path / f"made-{each}", f"v{each}", padded(2_000_000)) for each in range(3)
    ]
    store.publish(made[0])
    store.point_at("v0")
    chance, seen, rubbish = random.Random(5), set[str](), 0
    for _ in range(_KILLS):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.inference.publishing", str(store.directory), *map(str, made)],
            cwd=ROOT, stdout=subprocess.PIPE,
        )  # fmt: skip
        with process:
            assert process.stdout is not None and process.stdout.readline()
            for _ in range(chance.randrange(1, 3)):
                began = time.perf_counter()
                assert process.stdout.readline()
            time.sleep(chance.random() * (time.perf_counter() - began))  # as long as one takes, at most
            process.kill()
        assert store.current is not None
        store.load(store.current)
        assert [each for each in store.versions() if each.reason] == []
        seen.add(store.current)
        rubbish += any(path.suffix == ".part" or ".part" in path.name for path in store.directory.iterdir())
    assert len(seen) > 1, "it was always killed before it had done anything"
    assert rubbish, "it was never killed in the midst of writing"
    store.publish(made[0])
    assert not [name for name in _names(store) if name.startswith(".")]
