"""The speed benchmark on a clip of the test's own making: that it measures every stage, not how long they take."""

from pathlib import Path

from benchmarks.speed import PRESETS, stage_times, table, whole_speed
from mvstylizer.engine import Engine
from tests.scenes import pan, texture, write_scene


def test_every_stage_and_the_whole_are_timed(tmp_path: Path, tiny_release: Path) -> None:
    """All stages take some time, and the table ends with one line of frames a second for each preset."""
    clip = write_scene(tmp_path / "clip.mp4", pan(46, 96, 128))
    engine = Engine(tiny_release, threads=1)
    style = texture(60, 80, seed=5)
    times = stage_times(clip, style, engine)
    assert all(times[name] > 0 for name in times if name != "propagate (without flow)")
    speeds = {preset: whole_speed(clip, style, engine, preset) for preset in PRESETS}
    lines = list(table(times, speeds))
    assert [line.endswith("frames a second") for line in lines[-2:]] == [True, True]
