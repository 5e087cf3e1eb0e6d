"""What an edge with a data directory starts with, and that it does not start with anything else."""

import logging
import shutil
import subprocess
from pathlib import Path

import pytest

from inference.data_dir import DataDir
from inference.model_store import ModelStore
from inference.start_release import start_engine
from mvstylizer import release as releases
from mvstylizer.errors import OutputError, ReleaseError, UsageError
from mvstylizer.release import MANIFEST, STYLE_GRAPH
from tests.changed_release import changed_release, constant, padded
from tests.inference.stores import edge_environment, edge_process, published, serve_command


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "edge")


@pytest.fixture
def store(data: DataDir) -> ModelStore:
    return ModelStore(data.releases)


def test_an_empty_store_gets_the_bundled_release(data: DataDir, store: ModelStore) -> None:
    """It is published, becomes current and runs."""
    bundled = releases.load(releases.bundled())
    engine = start_engine(data, threads=1)
    assert (engine.version, engine.sha256) == (bundled.version, bundled.sha256)
    assert (store.names(), store.current, store.previous) == ([bundled.version], bundled.version, None)


def test_the_current_one_runs(data: DataDir, store: ModelStore, tiny_release: Path) -> None:
    """Not the newest."""
    published(data, tiny_release)
    assert start_engine(data, threads=1).version == "dark"
    store.point_at("light")
    assert start_engine(data, threads=1).version == "light"


def test_a_named_release_becomes_current(data: DataDir, store: ModelStore, tiny_release: Path) -> None:
    """The first time it is published; the one before it can be gone back to."""
    published(data, tiny_release)
    for _ in range(2):
        assert start_engine(data, tiny_release, threads=1).version == "tiny-1"
        assert (store.current, store.previous) == ("tiny-1", "dark")


@pytest.mark.failure("F15")
def test_a_damaged_one_is_replaced_by_the_newest_whole_one(
    data: DataDir, store: ModelStore, tiny_release: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """F15: with a warning that says why; what can only be seen by running it counts as damage too."""
    published(data, tiny_release)
    for version, change in (("3", padded(1)), ("4", constant("tiny", -10.0))):
        store.publish(changed_release(tiny_release, tmp_path / version, version, change))
    store.point_at("4")
    with caplog.at_level(logging.WARNING, "inference"):
        assert start_engine(data, threads=1).version == "3"
    assert "release 4 cannot run" in caplog.text and "not finite" in caplog.text
    assert "release 3 runs in place of 4" in caplog.text
    assert store.current == "3"
    (store.directory / "3" / STYLE_GRAPH).unlink()
    (store.directory / "light" / MANIFEST).write_text("{")
    assert start_engine(data, threads=1).version == "dark"
    assert (store.current, store.previous) == ("dark", "4")


def test_without_a_pointer_the_newest_runs(data: DataDir, store: ModelStore, tiny_release: Path) -> None:
    """As after a store was copied without it."""
    published(data, tiny_release)
    (store.directory / "current").unlink()
    assert start_engine(data, threads=1).version == "light"


def test_nothing_runs_that_is_not_whole(data: DataDir, store: ModelStore, tiny_release: Path, tmp_path: Path) -> None:
    """A store of damaged releases, or a named one that is damaged, is an error; what was current stays so."""
    published(data, tiny_release)
    bad = changed_release(tiny_release, tmp_path / "bad", "bad")
    (bad / STYLE_GRAPH).write_bytes(b"")
    with pytest.raises(ReleaseError, match="damaged"):
        start_engine(data, bad)
    assert store.current == "dark"
    for version in store.names():
        (store.directory / version / STYLE_GRAPH).write_bytes(b"")
    with pytest.raises(ReleaseError, match=r"no release there can run .*mvstylizer releases publish"):
        start_engine(data)


def test_beside_a_running_edge_nothing_is_changed(data: DataDir, store: ModelStore, tiny_release: Path) -> None:
    """A second edge on the directory ends before it has published anything."""
    published(data, tiny_release)
    lock = data.lock()
    try:
        with pytest.raises(UsageError, match="another edge"):
            start_engine(data, tiny_release)
    finally:
        lock.release()
    assert store.current == "dark" and "tiny-1" not in store.names()


def test_a_store_that_cannot_be_read(data: DataDir) -> None:
    """Is told as what it is."""
    data.releases.write_text("a file")
    with pytest.raises(OutputError, match="cannot be read"):
        start_engine(data)


@pytest.mark.parametrize("fault", ["half a manifest", "no model", "store unreadable", "no release"])
@pytest.mark.failure("F21")
def test_an_edge_that_cannot_start_says_why_in_one_line(
    data: DataDir, tiny_release: Path, tmp_path: Path, fault: str
) -> None:
    """F21: and its exit code is not 0."""
    release = tmp_path / "release"
    shutil.copytree(tiny_release, release)
    if fault == "half a manifest":
        (release / MANIFEST).write_text((release / MANIFEST).read_text()[:40])
    elif fault == "no model":
        (release / STYLE_GRAPH).unlink()
    elif fault == "store unreadable":
        data.releases.write_text("a file")
    else:
        release = tmp_path / "elsewhere"
    done = subprocess.run(
        serve_command(data.path, "--release", str(release)),
        capture_output=True, text=True, timeout=120, env=edge_environment(), check=False,
    )  # fmt: skip
    assert done.returncode in (2, 3) and done.stdout == ""
    assert done.stderr.startswith("mvstylizer: error: ") and done.stderr.count("\n") == 1, done.stderr


def test_an_edge_starts_with_its_store(data: DataDir, store: ModelStore, tiny_release: Path) -> None:
    """As a process of its own: first with the named release, then with what is current."""
    with edge_process(data.path, "--release", str(tiny_release)) as edge:
        assert edge.version == "tiny-1"
    published(data, tiny_release)
    with edge_process(data.path) as edge:
        assert edge.version == "dark"
