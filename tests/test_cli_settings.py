"""Dry runs, comparisons, efforts and codecs on the command line."""

import os
import re
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from mvstylizer import dry_run_report
from mvstylizer.demo.edge_process import running_edge
from mvstylizer.dry_run import Estimate
from mvstylizer.pictures import read_picture, write_picture
from mvstylizer.video import VideoReader
from tests.clips import Clip, packets, write_clip
from tests.scenes import texture
from tests.test_cli import INPUT, USAGE, proxies, run
from tests.tiny_release import TINY_PRESETS

NO_SPACE = 5
WARM = TINY_PRESETS["warm-light"][:3] * 255.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset_release: Path) -> Path:
    """The working directory, with clips/a.mp4 and b.mp4; the tiny release has presets."""
    for name in [name for name in os.environ if name.startswith("MVSTYLIZER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MVSTYLIZER_RELEASE", str(preset_release))
    monkeypatch.chdir(tmp_path)
    Path("clips").mkdir()
    for name in ("a.mp4", "b.mp4"):
        write_clip(Path("clips") / name, Clip(frames=12, sounds=("aac",)))
    return tmp_path


def stylize(*more: str, output: str = "out.mp4") -> list[str]:
    return ["stylize", "clips/a.mp4", "--style", "warm-light", "-o", output, *more]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


# Dry runs


def test_a_dry_run_tells_and_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Frames, key frames, time and disk are told of a video, and no file is there that was not before."""
    before = files(folder)
    code, out, err = run(stylize("--dry-run", "--key-interval", "5"), capsys)
    assert (code, err) == (0, "")
    assert out.startswith("clips/a.mp4 → out.mp4\n")
    for pattern in (
        r"frames +12, 3 of them key frames\n",
        r"time +about \d+ s, [0-9.]+ frames a second",
        r"disk +0\.\d MB",
    ):
        assert re.search(pattern, out)
    assert "network" not in out
    assert files(folder) == before


def test_a_dry_run_sums_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of many files all are told of, those that would fail or be skipped too; the folder is not made."""
    Path("clips/c.mp4").write_text("not a video")
    write_picture("clips/d.png", texture(45, 71))
    before = files(folder)
    code, out, _ = run(["stylize", "clips", "--style", "warm-light", "-o", "out", "--dry-run"], capsys)
    assert code == INPUT
    assert "clips/c.mp4: fails: clips/c.mp4: not a video" in out and "clips/d.png: a picture of 71x45" in out
    assert re.search(r"together: 2 videos, 24 frames", out)
    assert files(folder) == before
    Path("out").mkdir()
    for name in ("a.mp4", "b.mp4", "c.mp4", "d.png"):
        Path("out", name).touch()
    code, out, _ = run(["stylize", "clips", "--style", "warm-light", "-o", "out", "--dry-run"], capsys)
    assert code == 0 and out.count("skipped") == 4


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (stylize("--dry-run", output="out.avi"), USAGE, "out.avi"),
        (stylize("--dry-run", output="missing/out.mp4"), USAGE, "missing"),
        (stylize("--dry-run", output="clips/b.mp4"), USAGE, "--force"),
        (stylize("--dry-run", "--force", output="clips/a.mp4"), USAGE, "source"),
        (stylize("--dry-run", "--style", "wintre"), USAGE, "wintre"),
        (["stylize", "none.mp4", "--style", "warm-light", "-o", "out.mp4", "--dry-run"], INPUT, "none.mp4"),
    ],
)
def test_a_dry_run_refuses_what_a_run_would(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    """With the same line and the same exit code."""
    dry = run(arguments, capsys)
    assert dry[0] == code and words in dry[2] and dry[1] == ""
    assert run([word for word in arguments if word != "--dry-run"], capsys) == dry


def test_a_dry_run_sees_a_full_disk(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result for which there is no room is told of as a full disk, after the estimate."""
    free = shutil.disk_usage(folder).free
    huge = Estimate(12, 6, 3, 12, 1.0, free, 0, 0)
    monkeypatch.setattr(dry_run_report, "estimate", lambda *_: huge)
    code, out, err = run(stylize("--dry-run"), capsys)
    assert code == NO_SPACE and "judged by the first 6 frames" in out
    assert re.fullmatch(r"mvstylizer: error: [^\n]*needed[^\n]*free[^\n]*\n", err)


@pytest.mark.slow
def test_a_dry_run_weighs_what_travels(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With an edge also what goes to it and comes back is told."""
    with running_edge() as url:
        code, out, _ = run(stylize("--dry-run", "--edge", url), capsys)
    assert code == 0 and re.search(r"network +0\.\d MB to the edge, 0\.\d MB back", out)


# Comparisons


@pytest.mark.parametrize("rotation", [None, 90, 180, 270])
def test_a_video_is_compared(folder: Path, capsys: pytest.CaptureFixture[str], rotation: int | None) -> None:
    """To a viewer the left half of every frame is the source, the right half the result; sound and times are kept."""
    write_clip(Path("clips/a.mp4"), Clip(frames=12, sounds=("aac",), rotation=rotation))
    assert run(stylize("--compare"), capsys)[0] == 0
    assert packets(Path("out.mp4"), "audio") == packets(Path("clips/a.mp4"), "audio")
    with VideoReader("clips/a.mp4") as source, VideoReader("out.mp4") as result:
        turns = source.info.rotation // 90
        assert result.info.rotation == source.info.rotation
        for before, both in zip(source, result, strict=True):
            seen = np.rot90(both.proxy, turns).astype(int)
            left, right = np.split(seen, 2, axis=1)
            assert np.abs(left - np.rot90(before.proxy, turns)).mean() < 4
            assert np.abs(right.mean((0, 1)) - WARM).max() < 15


def test_a_picture_is_compared(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture stands beside its result."""
    write_picture("in.png", texture(45, 71))
    assert run(["stylize", "in.png", "--style", "warm-light", "-o", "out.png", "--compare"], capsys)[0] == 0
    both = read_picture("out.png")
    np.testing.assert_array_equal(both[:, :71], read_picture("in.png"))
    assert np.abs(both[:, 71:].mean((0, 1)) - WARM).max() < 6


# Efforts and codecs


@pytest.mark.parametrize(
    ("more", "settings"),
    [
        (("--effort", "draft"), (b"crf=26.0", b"subme=0 ")),
        ((), (b"crf=18.0", b"subme=2 ")),
        (("--effort", "best"), (b"crf=14.0", b"subme=7 ")),
        (("--effort", "best", "--crf", "40"), (b"crf=40.0", b"subme=7 ")),
        (("--effort", "draft", "--preset", "fast"), (b"crf=26.0", b"subme=6 ")),
    ],
)
def test_an_effort_stands_for_settings(
    folder: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], settings: tuple[bytes, ...]
) -> None:
    """The encoder gets what the word stands for, and what is given apart; x264 writes down what it was told."""
    assert run(stylize(*more), capsys)[0] == 0
    written = Path("out.mp4").read_bytes()
    assert all(setting in written for setting in settings)


@pytest.mark.parametrize(("codec", "tag", "suffix"), [("h264", "avc1", "mp4"), ("hevc", "hvc1", "mp4"),
                                                     ("hevc", "hvc1", "mov"), ("hevc", None, "mkv")])  # fmt: skip
def test_the_codec_can_be_chosen(
    folder: Path, capfd: pytest.CaptureFixture[str], codec: str, tag: str | None, suffix: str
) -> None:
    """The picture is coded as asked, under the name that Apple's players want too; the encoder itself is silent."""
    code, out, err = run(stylize("--codec", codec, output=f"out.{suffix}"), capfd)
    assert (code, out, err) == (0, f"out.{suffix}\n", "")
    with av.open(f"out.{suffix}") as container:
        context = container.streams.video[0].codec_context
        assert context.codec.canonical_name == codec and context.pix_fmt == "yuv420p"
        assert tag is None or context.codec_tag == tag
    assert [np.abs(frame.mean((0, 1)) - WARM).max() < 15 for frame in proxies(Path(f"out.{suffix}"))] == 12 * [True]


# Settings in a file


def test_a_file_holds_settings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What stands in the command's table counts as given by flag, required settings and blends too."""
    Path("mine.toml").write_text('[stylize]\nstyle = ["warm-light:3", "cold-light"]\ncrf = 40\ncodec = "hevc"\n')
    arguments = ["stylize", "clips/a.mp4", "-o", "out.mp4", "--config", "mine.toml"]
    assert run([*arguments, "--codec", "h264"], capsys)[0] == 0
    assert b"crf=40.0" in Path("out.mp4").read_bytes()
    blended = (3 * TINY_PRESETS["warm-light"][:3] + TINY_PRESETS["cold-light"][:3]) / 4 * 255
    assert [np.abs(frame.mean((0, 1)) - blended).max() < 15 for frame in proxies(Path("out.mp4"))] == 12 * [True]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[stylize]\ncrf = 'fine'", "mine.toml: [stylize] crf: must be a whole number"),
        ("[stylize]\ncrf = 52", "--crf 52"),
        ("[stylise]\ncrf = 40", "[stylise] is no command"),
        ("[stylize]\nforce = true", "no setting 'force'"),
        ("crf", "mine.toml: is no TOML"),
    ],
)
def test_a_bad_file_is_refused(folder: Path, capsys: pytest.CaptureFixture[str], text: str, words: str) -> None:
    """In one line, before anything is done."""
    Path("mine.toml").write_text(text)
    code, out, err = run(stylize("--config", "mine.toml"), capsys)
    assert (code, out, err.count("\n")) == (USAGE, "", 1) and words in err
    assert not Path("out.mp4").exists()


@pytest.mark.parametrize("command", ["stylize", "preview", "styles", "serve", "distill", "train", "doctor"])
def test_every_command_with_settings_takes_a_file(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Its help says so, and names the table."""
    with pytest.raises(SystemExit):
        run([command, "--help"], capsys)
    assert f"settings below [{command}]" in " ".join(capsys.readouterr().out.split())
