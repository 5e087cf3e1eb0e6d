"""``mvstylizer preview`` and ``mvstylizer completion`` as their users meet them."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mvstylizer.completion import SHELLS
from mvstylizer.demo.edge_process import running_edge
from mvstylizer.errors import UsageError
from mvstylizer.pictures import read_picture, write_picture
from mvstylizer.preview_command import parse_time
from tests.clips import Clip, write_clip
from tests.scenes import texture
from tests.test_cli import INPUT, USAGE, run
from tests.tiny_release import TINY_PRESETS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset_release: Path) -> Path:
    """The working directory, with videos/in.mp4, two seconds long; the tiny release has presets."""
    for name in [name for name in os.environ if name.startswith("MVSTYLIZER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MVSTYLIZER_RELEASE", str(preset_release))
    monkeypatch.chdir(tmp_path)
    Path("videos").mkdir()
    write_clip(Path("videos/in.mp4"), Clip(frames=50))
    return tmp_path


def preview(*more: str, style: str = "warm-light") -> list[str]:
    return ["preview", "videos/in.mp4", "--style", style, *more]


def test_a_picture_shows_before_and_after(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The left half is the video's frame, the right half has the preset's colours; stdout names the picture."""
    assert run(preview("--at", "1s", "-o", "look.png"), capsys) == (0, "look.png\n", "")
    picture = read_picture("look.png")
    assert picture.shape == (64, 96 + 2 + 96, 3)
    warm = TINY_PRESETS["warm-light"][:3] * 255.0
    assert np.abs(picture[:, 98:].mean((0, 1)) - warm).max() < 6
    assert np.abs(picture[:, :96].mean((0, 1)) - warm).max() > 20


def test_previews_have_names_of_their_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without -o video, time and styles make the name, in the working directory, so that looks can be compared."""
    write_picture("red.png", texture(20, 30))
    for more, name in (
        (["--at", "1s"], "in-1s-warm-light.jpg"),
        (["--at", "0:01.5"], "in-1.5s-warm-light.jpg"),
        (["--style", "red.png:0.3"], "in-middle-warm-light+red.jpg"),
    ):
        assert run(preview(*more), capsys) == (0, f"{name}\n", "")
        assert read_picture(name).shape == (64, 194, 3)


def test_a_picture_that_is_there_is_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unless ``--force`` says otherwise; a source never goes, whatever it says."""
    Path("look.jpg").write_text("precious")
    code, _, err = run(preview("-o", "look.jpg"), capsys)
    assert (code, Path("look.jpg").read_text()) == (USAGE, "precious") and "--force" in err
    assert run(preview("-o", "look.jpg", "--force"), capsys)[0] == 0
    write_picture("red.png", texture(20, 30))
    assert run(preview("-o", "red.png", "--force", style="red.png"), capsys)[0] == USAGE
    assert read_picture("red.png").shape == (20, 30, 3)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (preview("--at", "9s"), USAGE, ("videos/in.mp4", "over at 2 s", "9 s")),
        (preview("--at", "-1"), USAGE, ("--at -1", "1:02")),
        (preview("--at", "soon"), USAGE, ("--at soon", "1:02")),
        (preview("--strength", "2"), USAGE, ("strength",)),
        (preview("-o", "look.xyz"), USAGE, ("look.xyz", ".jpg")),
        (preview("-o", "missing/look.jpg"), USAGE, ("missing",)),
        (preview(style="wintre"), USAGE, ("wintre", "warm-light")),
        (preview(style="missing.jpg"), INPUT, ("missing.jpg",)),
        (["preview", "missing.mp4", "--style", "warm-light"], INPUT, ("missing.mp4",)),
        (["preview", "photo.jpg", "--style", "warm-light"], USAGE, ("photo.jpg", "picture", "--compare")),
        (["preview", "videos/in.mp4"], USAGE, ("--style",)),
    ],
)
def test_previews_that_cannot_be_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: tuple[str, ...]
) -> None:
    """One line says what is wrong, and nothing is written."""
    found, out, err = run(arguments, capsys)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert all(word in err for word in words)
    assert [path.name for path in folder.iterdir()] == ["videos"]


@pytest.mark.slow
def test_an_edge_shows_what_this_process_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Through a real edge the picture is the same but for the JPEG on the way."""
    assert run(preview("-o", "here.png"), capsys)[0] == 0
    with running_edge() as url:
        assert run(preview("-o", "there.png", "--edge", url), capsys)[0] == 0
    assert np.abs(read_picture("here.png").astype(int) - read_picture("there.png")).mean() < 3


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3), ("3s", 3), ("0.25s", 0.25), ("1:02", 62), ("00:01:02.5", 62.5), ("90:00", 5400), ("2:00:00", 7200)],
)
def test_times_can_be_written_in_several_ways(text: str, seconds: float) -> None:
    """As seconds, as minutes and seconds, with hours."""
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1", "1:60", "1:60:00", "1:2:3:4", "1e3", "nan", "1,5", "1:", ":1", "3m"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """The error shows how to write one."""
    with pytest.raises(UsageError, match=r"00:01:02\.5"):
        parse_time(text)


# Completion


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The script names the commands and their options."""
    code, out, err = run(["completion", shell], capsys)
    assert (code, err) == (0, "")
    for word in ("stylize", "preview", "dry-run", "ultrafast", "hevc"):
        assert word in out


def completed(script: str, line: str, folder: Path) -> list[str]:
    """What bash offers for the last word of a line."""
    words = line.split(" ")
    ask = (
        f"COMP_WORDS=({' '.join(words)!s}); [ -z '{words[-1]}' ] && COMP_WORDS+=(''); COMP_CWORD={len(words) - 1}; "
        f"_shtab_mvstylizer mvstylizer '{words[-1]}' '{words[-2]}'; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, cwd=folder, timeout=30)
    return done.stdout.split()


def test_bash_completes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a real bash: commands, options, what an option can be, and files where a file is meant."""
    script = run(["completion", "bash"], capsys)[1]
    assert "stylize" in completed(script, "mvstylizer sty", folder)
    assert completed(script, "mvstylizer stylize --dry", folder) == ["--dry-run"]
    assert set(completed(script, "mvstylizer stylize --codec ", folder)) >= {"h264", "hevc"}
    assert completed(script, "mvstylizer stylize vid", folder) == ["videos"]


def test_other_shells_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown shell is a usage error that names the known ones."""
    code, _, err = run(["completion", "cmd.exe"], capsys)
    assert code == USAGE and all(shell in err for shell in SHELLS)
