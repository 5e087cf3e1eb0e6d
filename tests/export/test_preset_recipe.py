"""The recipe of the bundled presets: whole, and what the bundled release has."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from export.preset_recipe import DATA, RECIPES, grading, pictures, write_folder
from export.presets import presets_from
from mvstylizer import release as releases
from mvstylizer.errors import InputError, OutputError
from mvstylizer.pictures import write_picture
from mvstylizer.presets import is_preset_name
from mvstylizer.training.grading import grade
from tests.scenes import texture

needs_photos = pytest.mark.skipif(not DATA.is_dir(), reason=f"the photos of the presets are not in {DATA}")


def test_every_preset_is_described_and_made_of_several_photos() -> None:
    """Each has a proper name, a line that says what it looks like, and more than one photo, so that none is copied."""
    for name, recipe in RECIPES.items():
        assert is_preset_name(name) and recipe.description.isprintable() and len(recipe.description) > 10
        assert len(set(recipe.photos)) == len(recipe.photos) > 1


def test_a_grading_changes_only_what_is_said() -> None:
    """Without a word a grading leaves a picture as it is."""
    picture = np.asarray(texture(20, 30) / 255, np.float32)
    np.testing.assert_allclose(grade(picture, grading()), picture, atol=1e-5)
    assert grade(picture, grading(exposure=0.5)).mean() > picture.mean() + 0.05


def test_missing_photos_and_existing_folders_are_named(tmp_path: Path) -> None:
    """Without the photos, or onto something that exists, nothing is written and a line says why."""
    with pytest.raises(InputError, match="none"):
        write_folder(tmp_path / "to", tmp_path / "none")
    assert not (tmp_path / "to").exists()
    with pytest.raises(OutputError, match="exists already"):
        write_folder(tmp_path, tmp_path)


def test_recipes_are_cooked_from_whatever_lies_there(tmp_path: Path) -> None:
    """The command writes every photo of every recipe, scaled down, and the descriptions, for the export to read."""
    for recipe in RECIPES.values():
        for name in recipe.photos:
            path = tmp_path / "data" / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_picture(path, texture(30, 40), overwrite=True)
    command = [sys.executable, "-m", "export.preset_recipe", "--to", "to", "--data", "data"]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": root}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    photos = sum(len(recipe.photos) for recipe in RECIPES.values())
    assert len(list((tmp_path / "to").glob("*.png"))) == photos
    assert (tmp_path / "to" / "descriptions.json").is_file()


@needs_photos
def test_photos_are_small_and_graded() -> None:
    """A recipe's photos come at the size at which styles are encoded, in the grading's colours."""
    for picture in pictures(RECIPES["golden-hour"]):
        assert max(picture.shape) <= releases.STYLE_SIZE
        assert picture[..., 0].mean() > picture[..., 2].mean() + 20


@needs_photos
def test_the_bundled_presets_are_the_recipes(tmp_path: Path) -> None:
    """The bundled release has the recipes' presets: their codes by its own style graph, and their descriptions."""
    release = releases.load(releases.bundled())
    write_folder(tmp_path / "photos")
    found = presets_from(tmp_path / "photos", release)
    assert dict(release.descriptions) == dict(found.descriptions)
    for name, code in found.codes.items():
        np.testing.assert_allclose(release.presets[name], code, rtol=1e-3, atol=1e-3 * np.abs(code).max())
