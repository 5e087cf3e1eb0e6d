"""``mvstylizer releases`` on a real edge: it follows at once; without one the next start does."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.data_dir import DataDir
from inference.model_store import ModelStore
from mvstylizer.cli import main
from mvstylizer.release import STYLE_GRAPH
from tests.changed_release import changed_release, constant, padded
from tests.inference.stores import EdgeProcess, edge_process, published

USAGE, INPUT = 2, 3


@pytest.fixture
def data(tmp_path: Path, tiny_release: Path, monkeypatch: pytest.MonkeyPatch) -> DataDir:
    """With ``dark``, which is current, and ``light``; commands find it without being told."""
    monkeypatch.setenv("MVSTYLIZER_DATA_DIR", str(tmp_path / "edge"))
    data = DataDir(tmp_path / "edge")
    published(data, tiny_release)
    return data


@pytest.fixture
def edge(data: DataDir) -> Iterator[EdgeProcess]:
    with edge_process(data.path) as edge:
        yield edge


@pytest.fixture
def new(tmp_path: Path, tiny_release: Path) -> Path:
    """A release 2 that is nowhere yet."""
    return changed_release(tiny_release, tmp_path / "new", "2", padded(7))


def _running(edge: EdgeProcess) -> str:
    with urllib.request.urlopen(f"{edge.url}/v2/models/stylizer", timeout=10) as reply:
        return str(json.load(reply)["version"])


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["releases", *words])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_a_running_edge_follows(
    edge: EdgeProcess, data: DataDir, new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Publish, load and rollback run the release before they return, and say so."""
    store = ModelStore(data.releases)
    for words, version, said in (
        (["publish", str(new)], "2", "runs"),
        (["publish", str(new)], "2", "ran already"),
        (["rollback"], "dark", "runs"),
        (["load", "light"], "light", "runs"),
        (["rollback"], "dark", "runs"),
        (["rollback"], "light", "runs"),
    ):
        assert _run(capsys, *words) == (0, f"release {version} {said} on {data.path}\n", "")
        assert (_running(edge), store.current) == (version, version)
    code, out, _ = _run(capsys, "list")
    assert code == 0 and out.splitlines() == ["dark   previous", "light  current", "2"]


def test_what_an_edge_refuses(
    edge: EdgeProcess, data: DataDir, tiny_release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is told in one line with an exit code; the old release runs on and stays current."""
    bad = changed_release(tiny_release, tmp_path / "bad", "bad", constant("tiny", -10.0))
    for words, expected, said in (
        (["publish", str(bad)], INPUT, "not finite"),
        (["load", "bad"], INPUT, "not finite"),
        (["load", "none"], USAGE, "no release none"),
        (["publish", str(tmp_path)], INPUT, "mvstylizer export"),
        (["rollback"], USAGE, "no release ran before dark"),
    ):
        code, out, err = _run(capsys, *words)
        assert (code, out, err.count("\n")) == (expected, "", 1) and said in err
        assert (_running(edge), ModelStore(data.releases).current) == ("dark", "dark")


def test_without_an_edge_the_next_one_follows(data: DataDir, new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The pointer is changed, which is said; also where an edge was killed and left its address behind."""
    data.tell_admin_url("http://127.0.0.1:1")
    code, out, _ = _run(capsys, "publish", str(new), "--keep", "1")
    assert code == 0 and "release 2 is set; no edge runs" in out and "release light is deleted" in out
    code, out, _ = _run(capsys, "rollback")
    assert code == 0 and out.startswith("release dark is set")
    assert _run(capsys, "load", "2")[0] == 0
    with edge_process(data.path) as edge:
        assert edge.version == "2"


def test_without_an_edge_nothing_damaged_is_set(data: DataDir, capsys: pytest.CaptureFixture[str]) -> None:
    """It is listed with its reason, and cannot be loaded."""
    (data.releases / "light" / STYLE_GRAPH).write_bytes(b"")
    code, out, _ = _run(capsys, "list")
    assert code == 0 and "dark   current\n" in out and "light  cannot run: " in out and "damaged" in out
    code, _, err = _run(capsys, "load", "light")
    assert code == INPUT and "damaged" in err
    assert ModelStore(data.releases).current == "dark"


def test_a_directory_that_is_not_there(tmp_path: Path, new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Is not made by asking; publishing into a new one is how a store may begin."""
    place = tmp_path / "other"
    for words in (["list"], ["load", "2"], ["rollback"]):
        code, _, err = _run(capsys, *words, "--data-dir", str(place))
        assert code == USAGE and "no such directory" in err and not place.exists()
    assert _run(capsys, "publish", str(new), "--data-dir", str(place))[0] == 0
    assert _run(capsys, "list", "--data-dir", str(place))[:2] == (0, "2  current\n")


@pytest.mark.parametrize(
    "words", [[], ["unload"], ["load"], ["publish"], ["publish", "x", "--keep", "0"], ["publish", "x", "--keep", "-1"]]
)
def test_commands_that_make_no_sense(data: DataDir, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    """Are usage errors of one line."""
    code, _, err = _run(capsys, *words)
    assert code == USAGE and err.startswith("mvstylizer: error: ") and err.count("\n") == 1


def test_settings_may_stand_in_a_file(
    data: DataDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Below [releases], for all actions alike, beside the tables of other commands."""
    monkeypatch.delenv("MVSTYLIZER_DATA_DIR")
    file = tmp_path / "settings.toml"
    file.write_text(f'[releases]\ndata-dir = "{data.path}"\n[serve]\nport = 7\n')
    assert _run(capsys, "list", "--config", str(file))[:2] == (0, "dark   current\nlight\n")
    assert _run(capsys, "list")[0] == USAGE
