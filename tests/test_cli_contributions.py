"""``mvstylizer contributions``: what edges keep of this device, shown and deleted, on real edges."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inference.contributions import Collect
from inference.data_dir import DataDir
from inference.frame_store import FrameStore
from inference.security import Security
from mvstylizer.cli import main
from mvstylizer.contributor import contributor_id, known_id
from tests.inference.conftest import StandIn, edge_in_a_thread
from tests.inference.contributed import BOB, offered

TOKEN = "correct-horse-battery"
AWAY = "http://127.0.0.1:9"


@contextmanager
def edge_with(data: DataDir, frames: int, token: str | None = None) -> Iterator[str]:
    """An edge that has so many frames of this device and one of another's; gives its URL."""
    store = FrameStore(data.frames, 10**8, 30 * 86_400)
    for seed in range(frames):
        store.add(contributor_id(), offered(seed))
    store.add(BOB, offered(0))
    store.close()
    with edge_in_a_thread(StandIn(), data=data, collect=Collect.OPT_IN, security=Security(token)) as url:
        yield url


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who has offered nothing yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["contributions", *arguments])
    return code, *capsys.readouterr()


def test_shown_and_deleted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On every edge that is named, this device's frames and no others'."""
    with edge_with(DataDir(tmp_path / "a"), 3) as a, edge_with(DataDir(tmp_path / "b"), 1) as b:
        size = sum(len(offered(seed).picture) for seed in range(3)) / 1e6
        assert run(capsys, "show", "--edge", a, "--edge", b)[:2] == (
            0,
            f"{a}: 3 frames, {size:.1f} MB\n{b}: 1 frame, 0.0 MB\n",
        )
        assert run(capsys, "delete", "--edge", f"{a},{b}") == (0, f"{a}: 3 frames deleted\n{b}: 1 frame deleted\n", "")
        assert run(capsys, "show", "--edge", a)[:2] == (0, f"{a}: 0 frames, 0.0 MB\n")
    store = FrameStore(DataDir(tmp_path / "a").frames, 10**8, 30 * 86_400)
    assert store.count(BOB)[0] == store.frames() == 1


def test_the_token_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An edge with a token refuses without it, and says so."""
    with edge_with(DataDir(tmp_path / "a"), 1, TOKEN) as a:
        code, _, err = run(capsys, "show", "--edge", a)
        assert (code, "--edge-token" in err) == (4, True)
        assert run(capsys, "delete", "--edge", a, "--edge-token", TOKEN)[:2] == (0, f"{a}: 1 frame deleted\n")


def test_an_edge_that_is_away_keeps_nothing_on_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All that can be reached delete; the command fails, and the id is kept for another try."""
    with edge_with(DataDir(tmp_path / "a"), 2) as a:
        code, out, err = run(capsys, "delete", "--forget", "--edge", AWAY, "--edge", a)
        assert (code, out) == (4, f"{a}: 2 frames deleted\n")
        assert AWAY in err
        known = known_id()
        assert known is not None
        assert run(capsys, "delete", "--forget", "--edge", a)[0] == 0
        assert known_id() is None
        assert contributor_id() != known


def test_who_never_offered_has_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """No edge is asked, and no id is made."""
    assert run(capsys, "show", "--edge", AWAY) == (0, "nothing was ever offered from here\n", "")
    assert known_id() is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["show"], "--edge is required"), (["show", "--edge", AWAY, "--forget"], "--forget"), ([], "action")],
)
def test_mistakes_are_usage_errors(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    """And say what is missing."""
    code, _, err = run(capsys, *arguments)
    assert (code, message in err) == (2, True)
