"""The speed benchmark on a clip of the test's own making: that it measures every stage, not how long they take."""

from pathlib import Path

from benchmarks.speed import INTERVAL, PRESETS, split, stage_times, table, whole_speed
from mvstylizer.engine import Engine
from tests.scenes import pan, texture, write_scene


def test_every_stage_and_the_whole_are_timed(tmp_path: Path, tiny_release: Path) -> None:
    """All stages take some time, and the table ends with one line of frames a second for each preset."""
    clip = write_scene(tmp_path / "clip.mp4", pan(46, 96, 128))
    engine = Engine(tiny_release, threads=1)
    style = texture(60, 80, seed=5)
    times = stage_times(clip, style, engine)
    # Differences of two measurements: of next to nothing here.
    assert all(times[name] > 0 for name in times if name not in {"propagate (without flow)", "decode"})
    speeds = {preset: whole_speed(clip, style, engine, preset) for preset in PRESETS}
    lines = list(table(times, speeds))
    assert [line.endswith("frames a second") for line in lines[-2:]] == [True, True]


def test_the_work_on_a_frame_is_all_its_stages() -> None:
    """Each preset has a bar of its own encoder and all else, with a key frame's work shared out among its frames."""
    times = {
        "decode": 5.0, "proxy": 2.0, "flow (two a frame)": 4.0, "propagate (without flow)": 3.0,
        "apply to the full frame": 1.0, "key frame: DNN at proxy size": 10.0 * INTERVAL,
        "key frame: fit of the field": 1.0 * INTERVAL, **{f"encode, x264 {preset}": 40.0 for preset in PRESETS},
    }  # fmt: skip
    bars = split(times)
    assert [bar.name for bar in bars] == [f"x264 {preset}" for preset in PRESETS]
    assert all(sum(length for _, length in bar.parts) == 66.0 for bar in bars)
