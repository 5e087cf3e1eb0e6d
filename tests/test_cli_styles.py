"""Blends, presets, strength and the list of styles, as users of the command line meet them."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.demo.edge_process import running_edge
from mvstylizer.engine import Engine
from mvstylizer.pictures import read_picture, write_picture
from tests.clips import Clip, packets, write_clip
from tests.scenes import texture
from tests.test_cli import EDGE, INPUT, USAGE, Desk, refused, run
from tests.tiny_release import TINY_PRESETS

Mean = NDArray[np.float64]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset_release: Path) -> Desk:
    """A working directory with red.png, blue.png and a picture, and the tiny release with presets as the release."""
    for name in [name for name in os.environ if name.startswith("MVSTYLIZER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MVSTYLIZER_RELEASE", str(preset_release))
    monkeypatch.chdir(tmp_path)
    for name, colour in (("red", (170, 90, 90)), ("blue", (80, 100, 170))):
        write_picture(f"{name}.png", np.clip(texture(40, 50) * 0.2 + np.array(colour) - 25, 0, 255).astype(np.uint8))
    write_picture("picture.png", texture(45, 71, seed=4))
    (tmp_path / "outputs").mkdir()
    return Desk(tmp_path / "in.mp4", tmp_path / "red.png", tmp_path / "picture.png", tmp_path / "outputs")


def command(desk: Desk, *styles: str, more: tuple[str, ...] = ()) -> list[str]:
    """Stylize the picture in these styles."""
    chosen = [word for style in styles for word in ("--style", style)]
    return ["stylize", str(desk.picture), *chosen, "-o", str(desk.picture_out), "--force", *more]


def mean_colour(path: Path | str) -> Mean:
    return np.asarray(read_picture(path).mean((0, 1)), np.float64)


def stylized(desk: Desk, capsys: pytest.CaptureFixture[str], *styles: str, more: tuple[str, ...] = ()) -> Mean:
    assert run(command(desk, *styles, more=more), capsys) == (0, f"{desk.picture_out}\n", "")
    return mean_colour(desk.picture_out)


# Styles


def test_photos_are_blended_by_weight(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Two photos by 0.7 and 0.3 give 0.7 and 0.3 of their colours; without weights they count the same."""
    red, blue = (mean_colour(f"{name}.png") for name in ("red", "blue"))
    assert np.abs(stylized(desk, capsys, "red.png:0.7", "blue.png:0.3") - (0.7 * red + 0.3 * blue)).max() < 4
    assert np.abs(stylized(desk, capsys, "red.png", "blue.png") - (red + blue) / 2).max() < 4


def test_a_preset_is_a_style(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """A preset's name stands for its look, alone and beside a photo; MVSTYLIZER_STYLE may name one too."""
    warm = TINY_PRESETS["warm-light"][:3] * 255.0
    assert np.abs(stylized(desk, capsys, "warm-light") - warm).max() < 5
    wanted = 0.75 * warm + 0.25 * mean_colour("blue.png")
    assert np.abs(stylized(desk, capsys, "warm-light:3", "blue.png:1") - wanted).max() < 5


def test_a_variable_names_one_style(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """MVSTYLIZER_STYLE holds one style; options replace it, they are not blended with it."""
    monkeypatch.setenv("MVSTYLIZER_STYLE", "warm-light:2")
    warm, cold = (255 * TINY_PRESETS[f"{name}-light"][:3] for name in ("warm", "cold"))
    assert np.abs(stylized(desk, capsys) - warm).max() < 5
    assert np.abs(stylized(desk, capsys, "cold-light") - cold).max() < 5


def test_a_file_wins_over_weight_and_preset(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """A photo called like a preset, or with a colon in its name, is the photo."""
    for name in ("warm-light", "blue.png:0.5"):
        Path(name).write_bytes(Path("red.png").read_bytes())
        assert np.abs(stylized(desk, capsys, name) - mean_colour("red.png")).max() < 4


def test_one_style_is_what_it_was(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """One photo, with or without a weight, gives the same bytes."""
    written = []
    for style in ("red.png", "red.png:0.3", "red.png:7"):
        stylized(desk, capsys, style)
        written.append(desk.picture_out.read_bytes())
    assert len(set(written)) == 1


@pytest.mark.parametrize(
    ("styles", "code", "words"),
    [
        (("wintre",), USAGE, ("no file 'wintre'", "cold-light, warm-light")),
        (("red.png", "wintre:0.5"), USAGE, ("no file 'wintre'",)),
        (("missing.jpg",), INPUT, ("missing.jpg", "no such file", "mvstylizer styles")),
        (("red.png:0",), USAGE, ("red.png:0", "above 0")),
        (("warm-light:-1",), USAGE, ("warm-light:-1", "above 0")),
        (("red.png", "blue.png:nan"), USAGE, ("blue.png:nan", "above 0")),
        (("red.png:inf",), USAGE, ("red.png:inf", "above 0")),
        (("red.png:much",), USAGE, ("red.png:much", "above 0")),
        (("red.png",) * 9, USAGE, ("9 times", "at most 8")),
    ],
)
def test_impossible_styles_are_refused(
    desk: Desk, capsys: pytest.CaptureFixture[str], styles: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    """A style that cannot be is one line that says what is wrong with which, and what there is."""
    line = refused(desk, command(desk, *styles), capsys, code)
    assert all(word in line for word in words)


def test_no_photo_of_a_blend_is_overwritten(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """None of several style photos may be the output, not even with ``--force``."""
    before = Path("blue.png").read_bytes()
    arguments = [
        "stylize",
        str(desk.picture),
        "--style",
        "red.png",
        "--style",
        "blue.png:2",
        "-o",
        "blue.png",
        "--force",
    ]
    assert "source" in refused(desk, arguments, capsys, USAGE)
    assert Path("blue.png").read_bytes() == before


# Strength


def test_strength_leads_from_the_picture_to_the_look(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """At 0 the picture itself comes out, at 1 what comes out without the option, at 0.5 what lies between."""
    stylized(desk, capsys, "red.png", more=("--strength", "0"))
    np.testing.assert_array_equal(read_picture(desk.picture_out), read_picture(desk.picture))
    whole = stylized(desk, capsys, "red.png")
    written = desk.picture_out.read_bytes()
    half = stylized(desk, capsys, "red.png", more=("--strength", "0.5"))
    assert np.abs(half - (whole + mean_colour(desk.picture)) / 2).max() < 1
    stylized(desk, capsys, "red.png", more=("--strength", "1"))
    assert desk.picture_out.read_bytes() == written


@pytest.mark.parametrize("strength", ["-0.1", "1.1", "nan", "inf", "much"])
def test_impossible_strengths_are_refused(desk: Desk, capsys: pytest.CaptureFixture[str], strength: str) -> None:
    """A strength that is no number from 0 to 1 is a usage error."""
    line = refused(desk, command(desk, "red.png", more=("--strength", strength)), capsys, USAGE)
    assert "strength" in line and strength in line


def test_a_video_has_strength_and_presets(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """The same options work for videos, whose sound stays."""
    write_clip(desk.clip, Clip(frames=8, sounds=("aac",)))
    arguments = desk.stylize("--strength", "0.5", "--key-interval", 4)
    arguments[arguments.index(str(desk.photo))] = "warm-light:2"
    assert run(arguments, capsys) == (0, f"{desk.video_out}\n", "")
    assert packets(desk.video_out, "audio") == packets(desk.clip, "audio")


# The list


def test_presets_are_listed(
    desk: Desk, capsys: pytest.CaptureFixture[str], tiny_release: Path, preset_release: Path
) -> None:
    """``styles`` names the release's presets with what they look like, or says that it has none."""
    assert run(["styles"], capsys) == (0, "cold-light       Blue as snow\nwarm-light\n", "")
    assert run(["styles", "--release", str(tiny_release)], capsys) == (0, "release tiny-1 has no presets\n", "")


def test_a_sheet_shows_every_preset(desk: Desk, capsys: pytest.CaptureFixture[str], preset_release: Path) -> None:
    """The sheet is one picture, wider than high here, with the picture and each preset's colours on it."""
    target = desk.outputs / "sheet.png"
    arguments = ["styles", "--sheet", str(target), "--picture", str(desk.picture)]
    assert run(arguments, capsys) == (0, f"{target}\n", "")
    sheet = read_picture(target)
    assert sheet.shape[1] >= 3 * 71 and sheet.shape[0] >= 45
    for code in TINY_PRESETS.values():
        assert (np.abs(sheet.astype(int) - 255 * code[:3]).max(2) < 30).sum() > 200
    assert "--force" in refused(desk, arguments, capsys, USAGE)
    assert run([*arguments, "--force"], capsys)[0] == 0


def test_the_sheet_needs_a_picture(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tiny_release: Path
) -> None:
    """Without the demo's photograph, without presets, or in the wrong format there is no sheet, and a line says why."""
    target = str(desk.outputs / "sheet.jpg")
    picture = ("--picture", str(desk.picture))
    assert "--sheet" in refused(desk, ["styles", *picture], capsys, USAGE)
    assert "no presets" in refused(
        desk, ["styles", "--sheet", target, *picture, "--release", str(tiny_release)], capsys, USAGE
    )
    assert ".jpg" in refused(desk, ["styles", "--sheet", str(desk.outputs / "sheet.xyz"), *picture], capsys, USAGE)
    assert "none.jpg" in refused(desk, ["styles", "--sheet", target, "--picture", "none.jpg"], capsys, INPUT)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert "--picture" in refused(desk, ["styles", "--sheet", target], capsys, USAGE)


# Through an edge


@pytest.mark.slow
def test_an_edge_blends_as_this_process_does(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Through a real edge process blends, presets and strength give what they give here; what it lacks is explained."""
    styles = ("red.png:0.5", "blue.png:0.2", "warm-light:0.3")
    here = stylized(desk, capsys, *styles, more=("--strength", "0.8"))
    with running_edge() as url:
        there = stylized(desk, capsys, *styles, more=("--strength", "0.8", "--edge", url))
        line = refused(desk, command(desk, "red.png", "wintre", more=("--edge", url)), capsys, USAGE)
    assert np.abs(here - there).max() < 2
    assert all(word in line for word in ("no file 'wintre'", url, "cold-light, warm-light"))


def test_a_preset_from_an_edge_that_is_down(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """A preset is asked for where the release is: an edge that is away is an error of the edge."""
    more = ("--edge", "http://127.0.0.1:9", "--edge-patience", "0")
    assert "http://127.0.0.1:9" in refused(desk, command(desk, "warm-light", more=more), capsys, EDGE)


def test_the_bundled_presets_work(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of the box there are eight presets or more, each described, and each changes a picture its own way."""
    monkeypatch.delenv("MVSTYLIZER_RELEASE")
    code, listed, _ = run(["styles"], capsys)
    names = [line.split()[0] for line in listed.splitlines()]
    assert code == 0 and len(names) >= 8
    assert {"golden-hour", "blue-hour", "night-city", "overcast", "autumn", "winter", "warm-film", "cool-film"} <= {
        *names
    }
    assert all(len(line.split()) > 2 for line in listed.splitlines())
    engine, picture = Engine(threads=1), texture(64, 96, softness=6)
    looks = [engine.stylize(picture, engine.presets[name]).astype(int) for name in names]
    for index, look in enumerate(looks):
        assert np.abs(look - picture).mean() > 5
        assert all(np.abs(look - other).mean() > 2 for other in looks[:index])
