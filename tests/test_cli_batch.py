"""Folders and many files on the command line: what is done, skipped and failed, and how that is told."""

import json
import os
import re
from pathlib import Path

import pytest

from mvstylizer.demo.edge_process import running_edge
from mvstylizer.pictures import read_picture, write_picture
from tests.clips import Clip, write_clip
from tests.scenes import texture
from tests.test_cli import INPUT, USAGE, proxies, run

NAMES = ["a.mp4", "b.mp4", "c.png"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset_release: Path) -> Path:
    """The working directory, with a folder of two short clips and a picture; the tiny release has presets."""
    for name in [name for name in os.environ if name.startswith("MVSTYLIZER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MVSTYLIZER_RELEASE", str(preset_release))
    monkeypatch.chdir(tmp_path)
    Path("clips").mkdir()
    for name in NAMES[:2]:
        write_clip(Path("clips") / name, Clip(frames=6))
    write_picture("clips/c.png", texture(45, 71))
    return tmp_path


def stylize(*more: str, style: str = "warm-light") -> list[str]:
    return ["stylize", *more, "--style", style, "-o", "out"]


def table(err: str) -> dict[str, str]:
    """The summary's rows by file, without what depends on the machine."""
    rows = err[err.index("file ") :].splitlines()[1:]
    return {row.split()[0]: row.split()[1].rstrip(":") for row in rows if row.startswith("clips")}


def test_a_folder_is_stylized(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Videos and pictures get results of their names in a new folder; stdout names them, stderr sums up."""
    code, out, err = run(stylize("clips/", "--key-interval", "3"), capsys)
    assert (code, out.splitlines()) == (0, [f"out/{name}" for name in NAMES])
    assert table(err) == {f"clips/{name}": "done" for name in NAMES}
    assert [len(proxies(Path("out") / name)) for name in NAMES[:2]] == [6, 6]
    assert read_picture("out/c.png").shape == (45, 71, 3)


def test_a_failure_stops_only_its_own_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What can be done is done; the failure is told at once and in the table, and sets the exit code."""
    Path("clips/b.mp4").write_text("not a video")
    code, out, err = run(stylize("clips"), capsys)
    assert (code, out.splitlines()) == (INPUT, ["out/a.mp4", "out/c.png"])
    assert re.match(r"mvstylizer: error: clips/b.mp4: not a video", err)
    assert table(err) == {"clips/a.mp4": "done", "clips/b.mp4": "failed", "clips/c.png": "done"}
    assert re.fullmatch(r"mvstylizer: error: 1 of 3 files failed, first clips/b.mp4[^\n]*", err.splitlines()[-1])


def test_the_first_failure_sets_the_exit_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of several kinds of failure the first counts."""
    inputs = ["clips/a.mp4", "clips/missing.mp4"]
    Path("out/a.mp4").mkdir(parents=True)
    assert run(stylize(*inputs, "--force"), capsys)[0] == USAGE
    assert run(stylize(*reversed(inputs), "--force"), capsys)[0] == INPUT


def test_a_second_run_does_what_is_left(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Results that are there are skipped, which is no failure; with ``--force`` they are made anew."""
    Path("out").mkdir()
    Path("out/a.mp4").write_text("precious")
    code, out, err = run(stylize("clips"), capsys)
    assert (code, out.splitlines()) == (0, ["out/b.mp4", "out/c.png"])
    assert table(err) == {"clips/a.mp4": "skipped", "clips/b.mp4": "done", "clips/c.png": "done"}
    assert Path("out/a.mp4").read_text() == "precious"
    code, out, _ = run(stylize("clips", "--force"), capsys)
    assert (code, len(out.splitlines())) == (0, 3)
    assert len(proxies(Path("out/a.mp4"))) == 6


def test_one_file_can_go_into_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where -o is a folder or ends in a slash, the result keeps its name in it."""
    arguments = ["stylize", "clips/c.png", "--style", "warm-light", "-o", "new/deep/"]
    assert run(arguments, capsys)[:2] == (0, "new/deep/c.png\n")


def test_scripts_get_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With ``--progress json`` progress and outcomes are objects, one a line, and there is no table."""
    Path("clips/b.mp4").write_text("not a video")
    code, _, err = run(stylize("clips", "--progress", "json"), capsys)
    *lines, last = err.splitlines()
    found = [json.loads(line) for line in lines]
    assert [(each["file"], each["state"]) for each in found if "state" in each] == [
        ("clips/a.mp4", "done"),
        ("clips/b.mp4", "failed"),
        ("clips/c.png", "done"),
    ]
    failed = next(each for each in found if each.get("state") == "failed")
    assert failed["exit_code"] == code == INPUT and "not a video" in failed["error"]
    assert [each["frames"] for each in found if "fps" in each][-1] == 6
    assert last.startswith("mvstylizer: error: 1 of 3")


@pytest.mark.parametrize(
    ("inputs", "code", "words"),
    [
        (["empty"], INPUT, "empty: holds no video"),
        (["clips/*.webm"], INPUT, "matches no video"),
        (["clips", "clips/sub/a.mp4"], USAGE, "both clips/a.mp4 and clips/sub/a.mp4"),
    ],
)
def test_batches_that_cannot_be_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], inputs: list[str], code: int, words: str
) -> None:
    """Before anything is done or made."""
    Path("empty").mkdir()
    Path("clips/sub").mkdir()
    found, out, err = run(stylize(*inputs), capsys)
    assert (found, out) == (code, "") and words in err and err.count("\n") == 1
    assert not Path("out").exists()


def test_sources_are_never_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even with ``--force`` do results go over their sources, nor over a style's photo."""
    before = {path: path.read_bytes() for path in Path("clips").iterdir()}
    for arguments in (
        ["stylize", "clips", "--style", "warm-light", "-o", "clips", "--force"],
        ["stylize", "clips/c.png", "--style", "clips/c.png", "-o", "clips/", "--force"],
    ):
        code, _, err = run(arguments, capsys)
        assert code == USAGE and "source" in err
    Path("out").mkdir()
    write_picture("out/c.png", texture(20, 30))
    assert run(stylize("clips", "--force", style="out/c.png"), capsys)[0] == USAGE
    assert {path: path.read_bytes() for path in Path("clips").iterdir()} == before


def test_a_file_is_no_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where -o is a file and there are many inputs, a line says so."""
    Path("out").write_text("precious")
    code, _, err = run(stylize("clips"), capsys)
    assert code == USAGE and err.startswith("mvstylizer: error: out: cannot be made a folder")


@pytest.mark.slow
def test_an_edge_stylizes_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One connection to a real edge serves all files, one after the other."""
    with running_edge() as url:
        code, out, _ = run(stylize("clips", "--edge", url), capsys)
    assert (code, len(out.splitlines())) == (0, 3)
