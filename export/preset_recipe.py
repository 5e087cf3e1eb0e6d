"""What the presets of the bundled release are made of: photos by name, some of them graded first.

``python -m export.preset_recipe --to FOLDER`` writes the folder that ``mvstylizer export … --presets FOLDER`` reads.
The photos lie in ``../shared/data``, next to the checkout. They are not to be passed on: only style codes, averages
over several photos, get into a release.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.presets import DESCRIPTIONS
from mvstylizer.errors import InputError, MVStylizerError, OutputError
from mvstylizer.pictures import fit_within, read_picture, write_picture
from mvstylizer.release import STYLE_SIZE
from mvstylizer.training.grading import Preset as Grading
from mvstylizer.training.grading import grade

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
STYLES = "eval/styles/stylenas_"
PHOTOS = "train/photos/"
SUN = PHOTOS + "sunhays80_CSun_Hays80_"


@dataclass(frozen=True)
class Recipe:
    """One preset: what it is said to look like, and its photos, paths below ``DATA`` without ``.jpg``."""

    description: str
    photos: tuple[str, ...]
    grading: Grading | None = None


def grading(
    gains: tuple[float, float, float] = (1, 1, 1), exposure: float = 0, contrast: float = 1,
    black: tuple[float, float, float] = (0, 0, 0), white: tuple[float, float, float] = (1, 1, 1),
    gamma: float = 1, saturation: float = 1,
) -> Grading:  # fmt: skip
    """A grading that changes only what is said."""
    return Grading(gains, exposure, contrast, black, white, gamma, saturation)


EVERYDAY = (
    PHOTOS + "urban100_CUrban100_img_094",
    SUN + "canal_urban_sun_bioizsmryxlratmt",
    SUN + "viaduct_sun_behirptreveqvbgb",
    SUN + "pond_sun_bvywucwhkqqwicrw",
)
"""Ordinary daylight with a whole range of tones, to be graded."""

RECIPES = {
    "golden-hour": Recipe(
        "Low sun: warm, golden light",
        (
            PHOTOS + "daynight_test_day_20151102_115321",
            PHOTOS + "daynight_test_day_20151103_064532",
            PHOTOS + "urban100_CUrban100_img_032",
            STYLES + "content_8",
        ),
        grading((1.2, 0.96, 0.74), 0.1, saturation=1.1),
    ),
    "sunset": Recipe(
        "A red and pink evening sky",
        (STYLES + "style_36", STYLES + "content_22", STYLES + "style_30"),
        grading((1.08, 0.97, 0.92), 0.1),
    ),
    "blue-hour": Recipe(
        "After sunset: deep blue, still light",
        (STYLES + "content_10", STYLES + "style_34", STYLES + "content_36", PHOTOS + "bsds_val_143090"),
        grading((0.9, 1.02, 1), saturation=0.78),
    ),
    "night-city": Recipe(
        "Dark and blue, with warm lamps",
        (STYLES + "style_34", STYLES + "style_10", STYLES + "content_36", STYLES + "content_10"),
        grading((0.98, 1, 1), -0.35, saturation=0.9),
    ),
    "overcast": Recipe(
        "Soft grey light under clouds",
        (PHOTOS + "daynight_test_day_20151102_104038", SUN + "coast_sun_adeamqputqgbqvcq"),
    ),
    "morning-mist": Recipe(
        "Pale, low contrast, a little warm",
        (PHOTOS + "daynight_test_day_20151102_081120", STYLES + "content_18"),
    ),
    "storm": Recipe(
        "Dark clouds: sombre, cold, muted",
        (STYLES + "style_40", PHOTOS + "weather_cloudy14", STYLES + "content_32"),
    ),
    "autumn": Recipe(
        "Orange and brown leaves in strong light",
        (STYLES + "style_4", SUN + "creek_sun_bxtonsgzegpfhnmy", SUN + "vineyard_sun_buwfkswrpuoxtfnt"),
        grading((1.05, 0.98, 0.88)),
    ),
    "winter": Recipe(
        "Snow light: bright, cold, few colours",
        (STYLES + "style_2", STYLES + "style_6", SUN + "ski_slope_sun_bcvgioomgjwtwrbf"),
        grading((0.95, 1.02, 1.04), 0.05, 1.05),
    ),
    "forest": Recipe(
        "Green light under trees",
        (STYLES + "content_2", STYLES + "content_16", SUN + "forest_path_sun_amolizervsrahvyf", *EVERYDAY[:2]),
        grading(exposure=0.2),
    ),
    "tropics": Recipe(
        "Turquoise water and sky, vivid colours",
        (STYLES + "content_40", STYLES + "content_28", STYLES + "content_30"),
    ),
    "warm-film": Recipe(
        "Film, warm: faded blacks, creamy whites",
        EVERYDAY,
        grading((1.09, 0.97, 0.91), 0.15, 1.2, (0.09, 0.07, 0.06), (1, 0.96, 0.9), saturation=1.05),
    ),
    "cool-film": Recipe(
        "Film, cool: faded blue blacks, clean whites",
        EVERYDAY,
        grading((0.95, 1, 1.06), 0.1, 1.15, (0.03, 0.06, 0.09), (0.94, 0.98, 1)),
    ),
}
"""By name. Chosen by looking at each on pictures that are not among its photos: a tower by a lake, a street, a village,
a park and a face."""


def pictures(recipe: Recipe, data: Path = DATA) -> list[NDArray[np.uint8]]:
    """The recipe's photos as their codes are made of, RGB ``(H, W, 3) uint8``. Raises InputError."""
    photos = (fit_within(read_picture(data / f"{name}.jpg"), STYLE_SIZE) for name in recipe.photos)
    return [photo if recipe.grading is None else _graded(photo, recipe.grading) for photo in photos]


def _graded(photo: NDArray[np.uint8], look: Grading) -> NDArray[np.uint8]:
    graded = grade(photo.astype(np.float32) / np.float32(255), look)
    return np.rint(graded * 255).astype(np.uint8)


def write_folder(to: Path, data: Path = DATA) -> None:
    """Write the graded photos and the descriptions into the new folder ``to``.

    Raises:
        InputError: the photos are not there.
        OutputError: ``to`` exists already or cannot be written.
    """
    if not data.is_dir():
        raise InputError(f"{data}: no such folder; put the project's shared data next to the checkout")
    try:
        to.mkdir(parents=True)
        told = {name: recipe.description for name, recipe in RECIPES.items()}
        (to / DESCRIPTIONS).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    except FileExistsError as error:
        raise OutputError(f"{to} exists already; choose another --to") from error
    except OSError as error:
        raise OutputError(f"{to} cannot be written ({error.strerror}); choose another --to") from error
    for name, recipe in RECIPES.items():
        for number, picture in enumerate(pictures(recipe, data), start=1):
            write_picture(to / f"{name}-{number}.png", picture)


def main() -> int:
    """Write the folder that ``--to`` names; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, required=True, help="new folder")
    parser.add_argument("--data", type=Path, default=DATA, help="default: %(default)s")
    options = parser.parse_args()
    write_folder(options.to, options.data)
    print(f"{len(RECIPES)} presets in {options.to}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"export.preset_recipe: error: {error}")
