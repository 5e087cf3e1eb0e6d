"""What stylizing would take: counted where all was tried, else scaled up from a beginning."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mvstylizer.device import DeviceOptions, stylize_video
from mvstylizer.dry_run import estimate
from mvstylizer.engine import Engine, LocalStylizer
from mvstylizer.errors import InputError, UsageError
from mvstylizer.styles import Style
from tests.clips import Clip, write_clip
from tests.scenes import no_thread_left, pan, write_scene

STYLE = Style.of_preset("warm-light")
EVERY_TENTH = DeviceOptions(interval=10, preset="ultrafast")


@pytest.fixture
def stylizer(preset_release: Path) -> Iterator[LocalStylizer]:
    """The tiny release with presets."""
    with no_thread_left():
        local = LocalStylizer(Engine(preset_release))
        yield local
        local.close()


def test_a_short_video_is_counted(tmp_path: Path, stylizer: LocalStylizer) -> None:
    """What is over before the trial is known to the byte, and nothing is left of it."""
    source = write_clip(tmp_path / "in.mp4", Clip(frames=25, sounds=("aac",)))
    found = estimate(source, STYLE, stylizer, EVERY_TENTH, trial_seconds=60)
    assert list(tmp_path.iterdir()) == [source]
    done = stylize_video(source, STYLE, tmp_path / "out.mp4", stylizer, EVERY_TENTH)
    assert (found.frames, found.tried_frames, found.counted_frames, found.key_frames) == (25, 25, 25, done.key_frames)
    assert found.output_bytes == (tmp_path / "out.mp4").stat().st_size
    assert found.seconds > 0 and 0 < found.bytes_up < 100_000 and 0 < found.bytes_down < 100_000


@pytest.mark.slow
def test_a_long_video_is_scaled_up(tmp_path: Path, stylizer: LocalStylizer) -> None:
    """Of a beginning the whole is judged, not to the byte, but not by orders of magnitude either."""
    source = write_scene(tmp_path / "in.mp4", pan(50, 96, 160) * 10)
    found = estimate(source, STYLE, stylizer, EVERY_TENTH, trial_seconds=1)
    assert found.frames == 500 and 0 < found.tried_frames <= 500
    done = stylize_video(source, STYLE, tmp_path / "out.mp4", stylizer, EVERY_TENTH)
    assert found.key_frames == pytest.approx(done.key_frames, rel=0.2)
    assert 1 / 3 < found.output_bytes / (tmp_path / "out.mp4").stat().st_size < 3
    assert found.bytes_up / found.key_frames == pytest.approx(found.bytes_down / found.key_frames, rel=0.9)


def test_what_cannot_be_done_cannot_be_tried(tmp_path: Path, stylizer: LocalStylizer) -> None:
    """The trial fails as the work itself would."""
    (tmp_path / "in.mp4").write_text("not a video")
    with pytest.raises(InputError, match=r"in\.mp4"):
        estimate(tmp_path / "in.mp4", STYLE, stylizer, EVERY_TENTH)
    source = write_clip(tmp_path / "good.mp4", Clip(frames=5))
    with pytest.raises(UsageError, match="wintre"):
        estimate(source, Style.of_preset("wintre"), stylizer, EVERY_TENTH)
