"""Scores of pairs: how pictures are prepared, and that the numbers are the independent scorer's."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.clips import SHARED
from benchmarks.pair_scores import (
    TEACHER,
    Result,
    Scores,
    pair_names,
    prepared,
    read_pair,
    read_result,
    real,
    score_all,
    teacher_features,
)
from benchmarks.pairs import anchor_methods
from mvstylizer.errors import InputError
from mvstylizer.pictures import write_picture
from tests.scenes import texture

SCORER = SHARED.parents[1] / "score" / "score_pairs.py"
MEASURES = ("edge", "halo", "canny", "luma", "gram", "mean_std", "swd")
"""In the order of the scorer's columns."""


@pytest.mark.parametrize(
    ("shape", "expected"), [((394, 700), (144, 256)), ((700, 525), (256, 192)), ((30, 700), (32, 256))]
)
def test_sides_are_multiples_of_16(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    """The long side is the size asked for, the other one is cut, and none gets too small for the teacher."""
    assert prepared(texture(*shape), 256).shape == (*expected, 3)


def test_a_pair_is_read_by_its_id(tmp_path: Path) -> None:
    """Names in order, segmentations not among them, content and style not mixed up."""
    for name in ("07", "03"):
        write_picture(tmp_path / f"{name}_content.png", texture(64, 96, seed=1))
        write_picture(tmp_path / f"{name}_style.png", texture(96, 64, seed=2))
        write_picture(tmp_path / f"{name}_content_seg.png", texture(64, 96, seed=3))
    assert pair_names(tmp_path) == ["03", "07"]
    pair = read_pair(tmp_path, "07", 96)
    assert np.array_equal(pair.content, real(texture(64, 96, seed=1)))
    assert np.array_equal(pair.style, real(texture(96, 64, seed=2)))


def test_results_are_scaled_to_the_content(tmp_path: Path) -> None:
    """Another method's picture of any size and type is compared at the content's size; a missing one is an error."""
    write_picture(tmp_path / "01_content.png", texture(64, 96))
    write_picture(tmp_path / "01_style.png", texture(64, 96))
    pair, others = read_pair(tmp_path, "01", 96), tmp_path / "others"
    others.mkdir()
    with pytest.raises(InputError, match="pair 01"):
        read_result(others, pair)
    for kind in (".webp", ".jpg", ".png"):
        write_picture(others / f"01{kind}", texture(128, 192))
        assert read_result(others, pair).shape == pair.content.shape
        (others / f"01{kind}").unlink()


def test_missing_weights_are_named(tmp_path: Path) -> None:
    """Without the teacher there are no scores, and the error says which two options help."""
    with pytest.raises(InputError, match=r"nowhere\.safetensors.*--teacher.*--no-scores"):
        teacher_features(tmp_path / "nowhere.safetensors")


def test_a_win_takes_edges_and_style() -> None:
    """Better in one and worse in the other is no win; a tie is one."""
    other = Scores(0.9, 0, 0, 0, 3.0, 0, 0)
    assert Scores(0.95, 0, 0, 0, 2.0, 0, 0).wins(other)
    assert other.wins(other)
    assert not Scores(0.95, 0, 0, 0, 3.1, 0, 0).wins(other)
    assert not Scores(0.89, 0, 0, 0, 2.0, 0, 0).wins(other)


@pytest.mark.slow
def test_scores_are_the_independent_scorers(tmp_path: Path) -> None:
    """Every column of the mean of two real pairs, preparation included, is within 2 % of the other program's."""
    others = SHARED / "anchor_results" / "pcakd_vgg+gif"
    if not (SCORER.exists() and others.exists() and TEACHER.exists()):
        pytest.skip(f"no scorer, results or teacher around {SHARED}")
    pytest.importorskip("skimage")
    # On a busy machine several threads mostly wait for each other.
    pytest.importorskip("torch").set_num_threads(1)
    features = teacher_features(TEACHER)
    found: dict[str, list[list[float]]] = {}
    for name in ("04", "24"):
        for kind in ("content", "style"):
            (tmp_path / f"{name}_{kind}.png").symlink_to(SHARED / "pairs" / f"{name}_{kind}.png")
        pair = read_pair(tmp_path, name, 256)
        results = {method: how.result(pair) for method, how in anchor_methods().items()}
        results["other"] = Result(read_result(others, pair))
        for method, scores in score_all(results, pair, features).items():
            found.setdefault(method.lower(), []).append([getattr(scores, measure) for measure in MEASURES])
    for method, expected in scored_elsewhere(tmp_path, 256, others).items():
        # Half a unit of the last of its four digits.
        assert np.mean(found.pop(method), axis=0) == pytest.approx(expected, rel=0.02, abs=5.1e-5), method
    assert not found


def scored_elsewhere(pairs: Path, size: int, folder: Path) -> dict[str, list[float]]:
    """The scorer's rows by method: edge, halo, canny, luma, gram, meanstd, swd."""
    command = [sys.executable, str(SCORER), str(pairs), str(size), "identity,reinhard,mkl", f"other={folder}"]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    rows = [line.split() for line in done.stdout.splitlines()[1:] if " beats " not in line]
    return {row[0]: [float(value) for value in row[1:8]] for row in rows}
