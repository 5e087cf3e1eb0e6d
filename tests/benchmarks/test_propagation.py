"""The propagation benchmark on a clip of the test's own making."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.footage import Footage
from benchmarks.propagation import INTERVALS, MUST, Row, measure_clip, missed, table, ways
from mvstylizer.engine import Engine
from tests.scenes import pan, texture


def clip(tiny_release: Path, frames: int = 46) -> Footage:
    return Footage("pan", pan(frames, 96, 128), texture(60, 80, seed=5), Engine(tiny_release, threads=1))


def test_every_method_is_measured_at_every_interval(tiny_release: Path) -> None:
    """On a slow pan all methods come near, and ours nearer than moving pixels at the longest interval."""
    footage = clip(tiny_release)
    results = measure_clip(footage, every=3)
    assert {method for method, _ in results} == set(ways(footage))
    assert all(len(values) == len(INTERVALS) for values in results.values())
    assert all(0 < value <= 1.0001 for values in results.values() for value in values)
    assert results["affine", "dnn"][-1] > results["warp (Algorithm 1)", "dnn"][-1]
    assert results["affine", "path"][-1] > results["affine, previous only", "path"][-1]
    some = measure_clip(footage, every=3, only=("affine",))
    assert some == {key: results[key] for key in (("affine", "dnn"), ("affine", "path"))}


def test_every_method_meets_a_look_that_is_the_same_everywhere(tiny_release: Path) -> None:
    """Between two equal key frames of a still scene, what lost in the comparison is no worse than it should be."""
    frames = [texture(96, 128)] * 3
    footage = Footage("still", frames, texture(60, 80, seed=5), Engine(tiny_release, threads=1))
    wanted = footage.stylized(1).astype(float)
    for name, picture in ways(footage).items():
        assert np.abs(picture(1, 0, 2) - wanted).mean() < 3, name


def test_the_table_names_the_worst_clip() -> None:
    """One line a method, the mean over clips, and the clip that does worst at the longest interval."""
    row = Row("affine", "dnn", {"calm": [1.0, 0.98, 0.96], "wild": [0.9, 0.8, 0.7]})
    lines = list(table([row]))
    assert len(lines) == 3
    assert "0.9500 | 0.8900 | 0.8300" in lines[-1]
    assert "wild: 0.900 / 0.800 / 0.700" in lines[-1]


@pytest.mark.parametrize(("shift", "count"), [(0.0, 0), (-0.01, 6)])
def test_what_misses_the_must_is_said(shift: float, count: int) -> None:
    """A value below DESIGN §7 gives one line each; values at it give none."""
    rows = [Row("affine", name, {"clip": [value + shift for value in wanted]}) for name, wanted in MUST.items()]
    assert len(missed(rows)) == count
