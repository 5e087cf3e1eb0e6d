"""The demo's clip and style photo: made on the spot, whole, moving, with sound."""

import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mvstylizer.demo.backdrop import View
from mvstylizer.demo.clip import make_clip, make_style
from mvstylizer.demo.sound import SAMPLE_RATE, soundtrack
from mvstylizer.errors import OutputError, UsageError

SIZE = (160, 90)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sklearn", reason="the photograph comes from scikit-learn: pip install 'mvstylizer[demo]'")
    return make_clip(tmp_path_factory.mktemp("demo") / "clip.mp4", seconds=1.0, size=SIZE)


def pictures(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in container.decode(video=0)]


def test_clip_has_the_frames_and_colours_it_says(clip: Path) -> None:
    """A clip of one second has 25 frames of the size asked for, tagged as BT.709."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.width, context.height, context.pix_fmt) == (*SIZE, "yuv420p")
        assert stream.average_rate == 25
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (
            1,
            1,
            1,
            1,
        )
    assert len(pictures(clip)) == 25


def test_clip_has_sound(clip: Path) -> None:
    """The sound can be heard, in stereo, and lasts as long as the pictures."""
    with av.open(str(clip)) as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.codec_context.channels) == ("aac", 2)
        sound = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert abs(sound.shape[1] / SAMPLE_RATE - 1) < 0.05
    assert 0.01 < np.sqrt(np.mean(sound**2)) < 0.5


def test_every_frame_moves(clip: Path) -> None:
    """No two frames in a row are alike, and none jumps."""
    frames = np.array(pictures(clip), np.float32)
    steps = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    assert steps.min() > 0.2
    assert steps.max() < 25


def test_clip_is_replaced_and_leaves_nothing_else(clip: Path) -> None:
    """The clip is the only file that writing it leaves."""
    assert [path.name for path in clip.parent.iterdir()] == ["clip.mp4"]


def test_unwritable_clip_is_an_output_error(tmp_path: Path) -> None:
    """A place that cannot be written to is told in one line, not in a traceback."""
    pytest.importorskip("sklearn", reason="the photograph comes from scikit-learn: pip install 'mvstylizer[demo]'")
    with pytest.raises(OutputError, match="no such directory"):
        make_clip(tmp_path / "none" / "clip.mp4", seconds=0.04, size=SIZE)


def test_style_is_a_picture(tmp_path: Path) -> None:
    """The style photo can be opened and is warm."""
    pytest.importorskip("skimage", reason="the photo comes from scikit-image: pip install 'mvstylizer[demo]'")
    with Image.open(make_style(tmp_path / "style.png")) as photo:
        red, green, blue = np.asarray(photo.convert("RGB"), np.float32).mean(axis=(0, 1))
    assert red > green > blue


@pytest.mark.parametrize(("package", "make"), [("sklearn.datasets", make_clip), ("skimage.data", make_style)])
def test_missing_extra_is_named(
    package: str, make: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra, the user is told what to install."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=r"mvstylizer\[demo\]"):
        make(tmp_path / "out.png")


def test_views_zoom_evenly() -> None:
    """Half-way between two views the width is their geometric mean, and points stay in their place."""
    view = View(100, 50, 400).towards(View(200, 70, 100), 0.5)
    assert (view.x, view.y, view.width) == pytest.approx((150, 60, 200))
    assert view.pixels(150, 60, (1280, 720)) == pytest.approx((640, 360))
    assert view.pixels(250, 60, (1280, 720)) == pytest.approx((1280, 360))


def test_soundtrack_is_the_same_every_time() -> None:
    """The sound is deterministic, never clips for long and is silent at both ends."""
    sound = soundtrack(2.0)
    assert sound.shape == (2, 2 * SAMPLE_RATE)
    assert np.array_equal(sound, soundtrack(2.0))
    assert np.mean(np.abs(sound) >= 1) < 1e-4
    assert np.abs(sound[:, [0, -1]]).max() < 0.01
