"""The self-reference benchmark on photos of the test's own making."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.self_reference import Score, cases, cut, measure, methods, table
from mvstylizer.engine import Engine
from mvstylizer.errors import InputError
from mvstylizer.pictures import read_picture, write_picture
from mvstylizer.training.grading import grade, random_preset
from tests.scenes import texture


def graded(picture: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    preset = random_preset(np.random.default_rng(number))
    return np.asarray(np.rint(grade(np.asarray(picture / 255, np.float32), preset) * 255), np.uint8)


def photos(folder: Path, count: int = 3, side: int = 150) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{index}.png" for index in range(count)]
    for index, path in enumerate(paths):
        write_picture(path, texture(side, side, seed=index))
    return paths


def test_a_case_is_two_halves_and_one_look() -> None:
    """Content and style are different halves, the style graded; the truth is the content in the very same look."""
    photo = texture(80, 131, seed=4)
    left, right = photo[:, :65], photo[:, 65:]
    sides = set()
    for number in range(10):
        case = cut(photo, number)
        content, other = (left, right) if np.array_equal(case.content, left) else (right, left)
        np.testing.assert_array_equal(case.content, content)
        np.testing.assert_array_equal(case.style, graded(other, number))
        np.testing.assert_array_equal(case.truth, graded(content, number))
        sides.add(content is left)
    assert sides == {True, False}


def test_cases_go_round_the_photos(tmp_path: Path) -> None:
    """Every photo has its turn before one comes again, then in another look; the same cases every time."""
    paths = photos(tmp_path / "photos")
    first, again = (list(cases(paths, 6)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.truth, b.truth)
    wholes = [read_picture(path) for path in paths]
    shown = [next(i for i, whole in enumerate(wholes) if is_half(case.content, whole)) for case in first]
    assert sorted(shown[:3]) == [0, 1, 2] and shown[3:] == shown[:3]
    assert not any(np.array_equal(a.truth, b.truth) for a, b in zip(first[:3], first[3:], strict=True))


def is_half(content: NDArray[np.uint8], whole: NDArray[np.uint8]) -> bool:
    return np.array_equal(content, whole[:, :75]) or np.array_equal(content, whole[:, 75:])


def test_photos_too_small_to_cut_are_refused(tmp_path: Path) -> None:
    """A photo whose halves show nothing is an InputError that names it."""
    paths = photos(tmp_path / "photos", 1, 100)
    with pytest.raises(InputError, match=r"0\.png.*--photos"):
        list(cases(paths, 1))


def test_the_truth_scores_best() -> None:
    """A method that knows the answer is perfect, one that leaves the content alone is as far off as the look is."""
    case = cut(texture(80, 132, seed=4), 1)
    scores = measure(case, {"known": lambda *_: case.truth, "identity": lambda content, _: content})
    assert scores["known"].psnr == np.inf and scores["known"].ssim == pytest.approx(1) and scores["known"].delta_e == 0
    error = np.square((case.content.astype(float) - case.truth) / 255).mean()
    assert scores["identity"].psnr == pytest.approx(-10 * np.log10(error), abs=1e-3)
    assert scores["identity"].ssim < 1 and scores["identity"].delta_e > 1


def test_every_method_gives_a_picture_of_the_content(tiny_release: Path) -> None:
    """Anchors, the DNN's own output and the whole path: all of the content's shape, the identity unchanged."""
    engine = Engine(tiny_release, threads=1)
    ways = methods(engine)
    assert set(ways) == {"identity", "Reinhard", "MKL", "ours, raw", "**ours, final**"}
    case = cut(texture(80, 132, seed=4), 1)
    results = {name: way(case.content, case.style) for name, way in ways.items()}
    assert all(r.shape == case.truth.shape and r.dtype == np.uint8 for r in results.values())
    np.testing.assert_array_equal(results["identity"], case.content)
    np.testing.assert_array_equal(results["ours, raw"], engine.stylize(case.content, engine.encode_style(case.style)))
    assert len({result.tobytes() for result in results.values()}) == len(results)


def test_transfer_finds_a_look_that_is_the_same_everywhere(tiny_release: Path) -> None:
    """Where both halves show the same kind of thing, colour transfer comes nearer to the truth than doing nothing."""
    ways = methods(Engine(tiny_release, threads=1))
    scores = [measure(cut(texture(100, 160, seed=7), number), ways) for number in range(6)]
    for name in ("Reinhard", "MKL"):
        assert np.mean([s[name].psnr - s["identity"].psnr for s in scores]) > 3
        assert np.mean([s[name].delta_e - s["identity"].delta_e for s in scores]) < 0


def test_the_table_has_means_medians_and_the_share_won() -> None:
    """One line a method; MKL has no share of cases in which it beats itself, and a draw is no win."""
    rows = [{"MKL": Score(20, 0.8, 4), "ours": Score(other, 0.9, 2)} for other in (19.0, 20.0, 21.0, 28.0)]
    lines = list(table(rows))
    assert len(lines) == 4
    assert lines[2] == "| MKL | 20.00 / 20.00 | 0.800 / 0.800 | 4.00 / 4.00 |  |"
    assert lines[3] == "| ours | 22.00 / 20.50 | 0.900 / 0.900 | 2.00 / 2.00 | 50% |"
