"""Styles: what they may be made of, how they blend, and how the command line names them."""

import math
from pathlib import Path

import numpy as np
import pytest

from mvstylizer.errors import InputError, UsageError
from mvstylizer.pictures import write_picture
from mvstylizer.styles import MAX_PARTS, NamedLook, Part, Style, blended, parse_look, read_style, unknown_preset
from tests.scenes import texture

PHOTO = texture(6, 8)
IMPOSSIBLE = [0.0, -1.0, math.nan, math.inf, -math.inf]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_photo_is_a_style() -> None:
    """The style of one photo is that very photo at full weight, whatever weight it was given."""
    style = Style.of_photo(PHOTO)
    assert style.parts[0].look is PHOTO and [part.weight for part in style.parts] == [1.0]
    for weight in (1e-300, 0.1, 3.0, 1e308):
        assert Style((Part(PHOTO, weight),)).parts[0].weight == 1.0


@pytest.mark.parametrize("weights", [(7, 3), (0.7, 0.3), (1e308, 1e308), (1e-320, 1e-320), (1,) * MAX_PARTS])
def test_weights_add_up_to_one(weights: tuple[float, ...]) -> None:
    """Weights count by their ratio only, however large or small they are."""
    parts = Style(tuple(Part("winter", weight) for weight in weights)).parts
    assert sum(part.weight for part in parts) == pytest.approx(1)
    for part, weight in zip(parts, weights, strict=True):
        assert part.weight / parts[0].weight == pytest.approx(weight / weights[0])


@pytest.mark.parametrize("weight", IMPOSSIBLE)
def test_impossible_weights_are_refused(weight: float) -> None:
    """A weight that is not positive and finite is a UsageError."""
    with pytest.raises(UsageError, match="above 0"):
        Style((Part(PHOTO), Part("winter", weight)))


def test_impossible_parts_are_refused() -> None:
    """No parts, too many, or a name that no preset can have is a UsageError."""
    for parts in ((), (Part("winter"),) * (MAX_PARTS + 1)):
        with pytest.raises(UsageError, match=f"1 to {MAX_PARTS}"):
            Style(parts)
    with pytest.raises(UsageError, match="mvstylizer styles"):
        Style.of_preset("../winter")


def test_codes_blend_by_weight() -> None:
    """A blend is the weighted mean in float32; of one code it is that code, to the last bit."""
    a, b = (np.random.default_rng(seed).standard_normal(9).astype(np.float32) for seed in (1, 2))
    np.testing.assert_array_equal(blended([a], [0.3]), a)
    mixed = blended([a, b], [3, 1])
    assert mixed.dtype == np.float32 and mixed.shape == (9,)
    np.testing.assert_allclose(mixed, 0.75 * a + 0.25 * b, rtol=1e-6)
    np.testing.assert_array_equal(blended([a, b], [1, 1e-30]), a)


@pytest.mark.parametrize(
    ("text", "look"),
    [
        ("winter", NamedLook("winter", 1)),
        ("winter:0.3", NamedLook("winter", 0.3)),
        ("golden-hour:2e1", NamedLook("golden-hour", 20)),
        ("a.jpg", NamedLook(Path("a.jpg"), 1)),
        ("a.jpg:0.7", NamedLook(Path("a.jpg"), 0.7)),
        ("folder/b c.jpg:1", NamedLook(Path("folder/b c.jpg"), 1)),
    ],
)
def test_looks_are_read(here: Path, text: str, look: NamedLook) -> None:
    """A photo's file or a preset's name, alone or with a weight behind a colon."""
    (here / "folder").mkdir()
    (here / "a.jpg").touch()
    (here / "folder" / "b c.jpg").touch()
    assert parse_look(text) == look


def test_files_come_first(here: Path) -> None:
    """A file wins over a weight and over a preset of the same name; a directory does not."""
    assert parse_look("a:0.7") == NamedLook("a", 0.7)
    (here / "a").mkdir()
    assert parse_look("a:0.7") == NamedLook("a", 0.7)
    (here / "a").rmdir()
    (here / "a").touch()
    assert parse_look("a") == NamedLook(Path("a"), 1)
    assert parse_look("a:0.7") == NamedLook(Path("a"), 0.7)
    (here / "a:0.7").touch()
    assert parse_look("a:0.7") == NamedLook(Path("a:0.7"), 1)
    assert parse_look("a:0.7:0.5") == NamedLook(Path("a:0.7"), 0.5)


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf", "heavy", "", "1,5"])
@pytest.mark.parametrize("name", ["winter", "a.jpg"])
def test_impossible_weights_are_named(here: Path, name: str, weight: str) -> None:
    """A weight that is no positive, finite number is refused as it was written."""
    (here / "a.jpg").touch()
    with pytest.raises(UsageError, match="weight") as caught:
        parse_look(f"{name}:{weight}")
    assert f"{name}:{weight}" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", ":", ":0.5", "missing.jpg", "missing.jpg:0.5", "Winter", "no/such", "https://a.b/c.jpg", "a\0b"]
)
def test_what_is_neither_file_nor_preset_is_refused(here: Path, text: str) -> None:
    """What is no file, and can be no preset either, is an InputError that points to the presets."""
    with pytest.raises(InputError, match=r"no such file.*mvstylizer styles"):
        parse_look(text)


def test_photos_are_read(here: Path) -> None:
    """The style has the photos' pixels, the presets' names, and the weights' ratio."""
    write_picture(here / "a.png", PHOTO)
    style = read_style([parse_look("a.png:3"), parse_look("winter")])
    np.testing.assert_array_equal(style.parts[0].look, PHOTO)
    assert style.parts[1].look == "winter"
    assert [part.weight for part in style.parts] == [0.75, 0.25]


def test_too_many_looks_are_refused_before_photos_are_read(here: Path) -> None:
    """More than a blend can hold is a UsageError, even where the photos could not be read."""
    (here / "a.jpg").touch()
    with pytest.raises(UsageError, match=f"at most {MAX_PARTS}"):
        read_style([parse_look("a.jpg")] * (MAX_PARTS + 1))


def test_an_unknown_preset_is_explained() -> None:
    """The error says that there is no such file either, and which presets there are."""
    error = str(unknown_preset("wintre", ["autumn", "winter"], "release 1"))
    assert "no file 'wintre'" in error and "release 1" in error and "autumn, winter" in error
    assert "none" in str(unknown_preset("wintre", [], "release 1"))
