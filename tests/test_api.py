"""MVStylizer as a library: everything that the command line does, as calls."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mvstylizer
from mvstylizer import api
from mvstylizer.engine import Engine, LocalStylizer
from mvstylizer.errors import InputError, OutputError, UsageError
from mvstylizer.pictures import read_picture, write_picture
from mvstylizer.video import VideoReader
from tests.clips import Clip, packets, write_clip
from tests.scenes import texture
from tests.tiny_release import TINY_PRESETS

WARM, COLD = (TINY_PRESETS[f"{name}-light"][:3] * 255.0 for name in ("warm", "cold"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a clip with sound, a picture and a style photo."""
    monkeypatch.chdir(tmp_path)
    write_clip(Path("in.mp4"), Clip(frames=10, sounds=("aac",)))
    write_picture("in.png", texture(45, 71))
    write_picture("red.png", np.clip(texture(20, 30) * 0.2 + (140, 60, 60), 0, 255).astype(np.uint8))
    return tmp_path


@pytest.fixture
def stylizer(preset_release: Path) -> LocalStylizer:
    """The tiny release with presets."""
    return LocalStylizer(Engine(preset_release))


@pytest.mark.usefixtures("folder")
def test_a_video_is_stylized(stylizer: LocalStylizer) -> None:
    """In a preset's colours, with its sound; progress is reported frame by frame and returned."""
    reports: list[mvstylizer.Progress] = []
    options = mvstylizer.DeviceOptions(interval=5)
    done = mvstylizer.stylize_video(
        "in.mp4", "warm-light", "out.mp4", options, stylizer=stylizer, report=reports.append
    )
    assert (done.frames, done.key_frames) == (10, 2) and reports[-1] == done and len(reports) == 10
    assert packets(Path("out.mp4"), "audio") == packets(Path("in.mp4"), "audio")
    with VideoReader("out.mp4") as reader:
        assert all(np.abs(frame.proxy.mean((0, 1)) - WARM).max() < 15 for frame in reader)


@pytest.mark.usefixtures("folder")
def test_a_picture_is_stylized_and_compared(stylizer: LocalStylizer) -> None:
    """At its own size, or beside itself; a result that exists is kept unless it may be overwritten."""
    mvstylizer.stylize_picture("in.png", "warm-light", Path("out.png"), stylizer=stylizer)
    assert read_picture("out.png").shape == (45, 71, 3)
    with pytest.raises(OutputError, match="exists"):
        mvstylizer.stylize_picture("in.png", "warm-light", "out.png", stylizer=stylizer)
    options = mvstylizer.DeviceOptions(compare=True, overwrite=True)
    mvstylizer.stylize_picture("in.png", "warm-light", "out.png", options, stylizer=stylizer)
    both = read_picture("out.png")
    np.testing.assert_array_equal(both[:, :71], read_picture("in.png"))
    assert np.abs(both[:, 71:].mean((0, 1)) - WARM).max() < 5


@pytest.mark.usefixtures("folder")
def test_a_frame_is_previewed(stylizer: LocalStylizer) -> None:
    """As pictures, at a time in seconds, and nothing is written."""
    before = set(Path().iterdir())
    preview = mvstylizer.preview_video("in.mp4", "cold-light", 0.2, stylizer=stylizer)
    assert isinstance(preview, mvstylizer.Preview) and preview.seconds == pytest.approx(0.2, abs=0.04)
    assert preview.before.shape == preview.after.shape == (64, 96, 3)
    assert np.abs(preview.after.mean((0, 1)) - COLD).max() < 6
    assert set(Path().iterdir()) == before


def parts(style: api.StyleLike) -> list[tuple[object, float]]:
    found = api.as_style(style).parts
    return [(part.look if isinstance(part.look, str) else part.look.shape, round(part.weight, 3)) for part in found]


@pytest.mark.usefixtures("folder")
def test_a_style_can_be_named_in_many_ways() -> None:
    """As on the command line, as a path, as pixels, and as a list of these with or without weights."""
    photo = (20, 30, 3)
    assert parts("warm-light") == [("warm-light", 1)]
    assert parts("red.png:7") == parts(Path("red.png")) == parts(read_picture("red.png")) == [(photo, 1)]
    assert parts(["warm-light:3", Path("red.png")]) == [("warm-light", 0.75), (photo, 0.25)]
    assert parts([("warm-light", 3), ("red.png", 1)]) == [("warm-light", 0.75), (photo, 0.25)]
    style = mvstylizer.Style.of_preset("warm-light")
    assert api.as_style(style) is style


@pytest.mark.usefixtures("folder")
def test_mistakes_are_our_own_errors(stylizer: LocalStylizer) -> None:
    """Whatever is wrong is a MVStylizerError that says what."""
    wrong: list[tuple[api.StyleLike, type[Exception]]]
    wrong = [("missing.jpg", InputError), ("wintre", UsageError), ([], UsageError), (["red.png:0"], UsageError)]
    for style, kind in wrong:
        with pytest.raises(kind):
            mvstylizer.stylize_video("in.mp4", style, "out.mp4", stylizer=stylizer)
    overwriting = mvstylizer.DeviceOptions(overwrite=True)
    own: list[api.StyleLike] = ["red.png", [(Path("red.png"), 2.0)], ["red.png:2"]]
    for style in own:
        with pytest.raises(mvstylizer.MVStylizerError, match="source"):
            mvstylizer.stylize_picture("in.png", style, "red.png", overwriting, stylizer=stylizer)
    assert read_picture("red.png").shape == (20, 30, 3)
    assert not Path("out.mp4").exists()


@pytest.mark.usefixtures("folder")
def test_the_bundled_release_is_the_default() -> None:
    """Without a stylizer a picture is stylized by the release that comes along."""
    mvstylizer.stylize_picture("in.png", "golden-hour", "out.png")
    assert np.abs(read_picture("out.png").astype(int) - read_picture("in.png")).mean() > 3


def test_importing_costs_nothing() -> None:
    """``import mvstylizer`` loads neither numpy nor anything else that is large; its names load what they need."""
    code = (
        "import sys, mvstylizer; print(*({'numpy', 'cv2', 'av', 'onnxruntime', 'torch'} & set(sys.modules)));"
        "mvstylizer.stylize_video; assert 'onnxruntime' in sys.modules and 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_names_are_the_same_everywhere() -> None:
    """What the package offers is what ``api`` has, and what type checkers are told."""
    assert mvstylizer.__all__ == api.__all__  # type: ignore[attr-defined]
    stub = Path(mvstylizer.__file__).with_suffix(".pyi").read_text()
    assert all(f"import {name} as {name}\n" in stub for name in api.__all__)
    assert all(getattr(mvstylizer, name) is getattr(api, name) for name in api.__all__)
    with pytest.raises(AttributeError, match="stylise_video"):
        _ = mvstylizer.stylise_video  # type: ignore[attr-defined]
