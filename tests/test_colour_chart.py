"""What the bundled release does to greys and pure colours, through the DNN alone and through the whole path.

Photos hide what a look does to colours they do not hold. Charts show it, and their right answers need no eye: greys get
the style's hues and no others, brighter stays brighter, and no colour turns into its opposite.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import product

import cv2
import numpy as np
import pytest
from _pytest.mark.structures import ParameterSet
from numpy.typing import NDArray
from skimage import data

from mvstylizer.device import stylize_picture
from mvstylizer.engine import Engine, LocalStylizer
from mvstylizer.metrics import luma
from mvstylizer.pictures import fit_within
from mvstylizer.styles import Style

Picture = NDArray[np.uint8]
Real = NDArray[np.float32]

JUST_NOTICEABLE = 2.3
"""Distance in CIE-Lab (Mahy et al., "Evaluation of uniform color spaces", Color Research & Application 1994)."""
STEP = 2.0
"""Code values by which a brighter input may come out darker."""
HUES, LUMAS, SIDE = 12, 8, 28
TINTS = {"warm": (0.7, 1.0, 1.5), "blue": (1.5, 1.05, 0.7)}
PHOTOS = ("coffee", "astronaut", "chelsea", "rocket")


@cache
def photo(name: str) -> Picture:
    """One of scikit-image's photos, RGB; its long side at most 384 px."""
    picture = np.atleast_3d(np.asarray(getattr(data, name)(), np.uint8))
    return fit_within(np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3))), 384)


@cache
def tinted(name: str, tint: str) -> Picture:
    """A photo's luma under a curve for each channel, which vary softly from place to place: one family of hues."""
    plane = luma(np.asarray(photo(name) / 255, np.float32))[..., None]
    noise = np.random.default_rng(0).standard_normal((*plane.shape[:2], 2)).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(noise, (0, 0), 12), np.float32)
    soft = soft / np.abs(soft).max((0, 1))
    exponents = 1 + (np.array(TINTS[tint], np.float32) - 1) * (1 + 0.3 * soft[..., :1])
    exponents[..., 1] += 0.08 * soft[..., 1]
    return codes(plane**exponents)


def style(name: str) -> Picture:
    """A photo by its name, or ``<tint> <photo>``."""
    tint, _, of = name.rpartition(" ")
    return tinted(of, tint) if tint else photo(of)


STYLES = (*PHOTOS, "warm coffee", "blue coffee")
NARROW_STYLES = tuple(f"{tint} {name}" for tint in TINTS for name in ("coffee", "astronaut"))


def codes(values: NDArray[np.floating]) -> Picture:
    return np.asarray(np.rint(values.clip(0, 1) * 255), np.uint8)


def grey_ramp() -> Picture:
    """Every grey, black on the left: ``(192, 256, 3)``."""
    return np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (192, 1, 3))


def grey_photo() -> Picture:
    return np.repeat(photo("camera")[..., :1], 3, axis=2)


GREYS = {"ramp": grey_ramp, "photo": grey_photo}

# Shortcomings of release 2026.11-4: greys of a photo leave the hues of these styles in the DNN's own pixels, by 2.5 to
# 3.6 in CIE-Lab where 2.3 is allowed (in what users see they do not), and the darkest red turns by 100 degrees. Strict:
# a release that mends one of them must take it off the list.
STRAYING_GREYS: set[tuple[str, ...]] = {
    ("warm astronaut", "photo", "raw"),
    ("blue astronaut", "photo", "raw"),
}
STRAYING_REDS: set[tuple[str, ...]] = {("rocket",)}


def colour(hue: float, at: float) -> NDArray[np.float64]:
    """RGB of a hue (0..1 around the circle, 0 red, 1/3 green) with luma ``at``, at 85 % of the chroma that fits."""
    pure = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    chroma = pure - pure @ [0.299, 0.587, 0.114]
    room = (np.where(chroma > 0, 1 - at, at) / np.maximum(np.abs(chroma), 1e-9)).min()
    return np.asarray(at + 0.85 * room * chroma, np.float64)


def patches() -> Picture:
    """Flat squares: rows by luma, darkest first; the first and the last column grey, between them the hues from red."""
    rows = [
        [np.full(3, at), *(colour(hue / HUES, at) for hue in range(HUES)), np.full(3, at)]
        for at in np.linspace(0.08, 0.92, LUMAS)
    ]
    return codes(np.kron(np.array(rows), np.ones((SIDE, SIDE, 1))))


def gradient() -> Picture:
    """The same without steps, ``(240, 416, 3)``: luma from black on top to white, a grey margin, then all hues."""
    rows = [
        [*[np.full(3, at)] * 32, *(colour(x / 384, at) for x in range(0, 384, 4) for _ in range(4))]
        for at in np.linspace(0, 1, 240)
    ]
    return codes(np.array(rows))


@cache
def engine() -> Engine:
    return Engine(threads=1)


def stylized(content: Picture, name: str) -> dict[str, Picture]:
    """The content in a style, as the DNN gives it and as users see it."""
    stylizer, photograph = LocalStylizer(engine()), style(name)
    raw = engine().stylize(content, engine().encode_style(photograph))
    final = stylize_picture(content, Style.of_photo(photograph), stylizer)
    stylizer.close()
    return {"raw": raw, "final": final}


@cache
def stylized_greys(name: str, content: str) -> dict[str, Picture]:
    """``stylized`` of the ramp or the grey photo."""
    return stylized(GREYS[content](), name)


@dataclass(frozen=True)
class Hues:
    """A range of hues about a middle, degrees of CIE-Lab, and the largest chroma; of all but 1 % of a picture."""

    middle: float
    low: float
    high: float
    chroma: float

    @classmethod
    def of(cls, picture: Picture) -> "Hues":
        chroma, angle = polar(picture)
        a, b = (chroma * np.cos(np.radians(angle))).mean(), (chroma * np.sin(np.radians(angle))).mean()
        middle = float(np.degrees(np.arctan2(b, a)))
        # Below, a hue is mostly the rounding of code values.
        low, high = np.percentile(turn(angle[chroma > 6], middle), [0.5, 99.5])
        return cls(middle, float(low), float(high), float(np.percentile(chroma, 99.5)))

    def beyond(self, picture: Picture) -> tuple[float, float]:
        """How far, in CIE-Lab, all but 1 % of the pixels lie within (sideways out of the hues, above the chroma)."""
        chroma, angle = polar(picture)
        off = turn(angle, self.middle)
        outside = np.maximum(np.maximum(self.low - off, off - self.high), 0)
        sideways = chroma * np.sin(np.radians(np.minimum(outside, 90)))
        return round(float(np.percentile(sideways, 99)), 2), round(float(np.percentile(chroma - self.chroma, 99)), 2)


def polar(picture: Picture) -> tuple[Real, Real]:
    """CIE-Lab chroma and hue (degrees), each ``(H, W)``."""
    lab = cv2.cvtColor(np.asarray(picture / 255, np.float32), cv2.COLOR_RGB2LAB)
    chroma, angle = np.hypot(lab[..., 1], lab[..., 2]), np.degrees(np.arctan2(lab[..., 2], lab[..., 1]))
    return np.asarray(chroma, np.float32), np.asarray(angle, np.float32)


def turn(angle: Real, middle: float) -> Real:
    """Angles as seen from ``middle``, -180..180."""
    return np.asarray((angle - middle + 180) % 360 - 180, np.float32)


def steepest_fall(values: Real) -> Real:
    """How far values fall below what they had reached above them, by column."""
    return np.asarray((np.maximum.accumulate(values, 0) - values).max(0), np.float32)


def patch_colours(picture: Picture) -> Real:
    """The median colour in the middle of each patch, ``(LUMAS, HUES + 2, 3)``."""
    rows = picture.reshape(LUMAS, SIDE, HUES + 2, SIDE, 3)[:, SIDE // 3 : -SIDE // 3, :, SIDE // 3 : -SIDE // 3]
    return np.asarray(np.median(rows, axis=(1, 3)), np.float32)


def angles(a: Real, b: Real) -> Real:
    """Degrees between the chroma (RGB less luma) of colours ``(…, 3)``; 0 where one of them is hardly a colour."""
    chroma_a, chroma_b = (x - luma(x)[..., None] for x in (a, b))
    lengths = np.linalg.norm(chroma_a, axis=-1), np.linalg.norm(chroma_b, axis=-1)
    cosine = (chroma_a * chroma_b).sum(-1) / np.maximum(lengths[0] * lengths[1], 1e-6)
    degrees = np.degrees(np.arccos(cosine.clip(-1, 1)))
    return np.asarray(np.where(np.minimum(*lengths) > 8, degrees, 0), np.float32)


def with_known(cases: Iterable[tuple[str, ...]], straying: set[tuple[str, ...]]) -> list[ParameterSet]:
    """The cases, those among ``straying`` expected to fail."""
    mark = pytest.mark.xfail(raises=AssertionError, strict=True, reason="a known shortcoming of the bundled release")
    return [pytest.param(*case, marks=[mark] if case in straying else []) for case in cases]


@pytest.mark.parametrize(
    ("name", "content", "way"), with_known(product(NARROW_STYLES, GREYS, ("raw", "final")), STRAYING_GREYS)
)
def test_greys_get_the_hues_of_the_style_and_no_others(name: str, content: str, way: str) -> None:
    """In a style of warm or blue tones only, no grey comes out in another hue, nor in more colour than the style."""
    hues = Hues.of(style(name))
    assert hues.high - hues.low < 60
    far = hues.beyond(stylized_greys(name, content)[way])
    assert max(far) <= JUST_NOTICEABLE, f"sideways, above: {far}"


@pytest.mark.parametrize("content", GREYS)
@pytest.mark.parametrize("name", NARROW_STYLES)
def test_greys_take_part_in_the_look(name: str, content: str) -> None:
    """A grey content gets the style's tint: half of the style's own colour at least, and on its side."""
    hues, (chroma, _) = Hues.of(style(name)), polar(style(name))
    for result in stylized_greys(name, content).values():
        own, angle = polar(result)
        along = own * np.cos(np.radians(turn(angle, hues.middle)))
        assert along.mean() > 0.5 * chroma.mean()


@pytest.mark.parametrize("name", STYLES)
def test_brighter_patches_stay_brighter(name: str) -> None:
    """In every column of flat patches, greys and hues, luma rises as in the chart, by half the style's range."""
    low, high = np.percentile(luma(style(name).astype(np.float32)), [10, 90])
    for way, result in stylized(patches(), name).items():
        rows = luma(patch_colours(result))
        fall, rise = steepest_fall(rows), rows[-1] - rows[0]
        assert fall.max() <= STEP, f"{way}: column {fall.argmax()} falls by {fall.max():.1f}"
        assert rise.min() > (high - low) / 2, f"{way}: column {rise.argmin()} rises by {rise.min():.0f} only"


@pytest.mark.parametrize("name", STYLES)
def test_smooth_gradients_never_turn_back(name: str) -> None:
    """From black to white, pixel by pixel, no grey and no hue is darker than what lies above it."""
    for way, result in stylized(gradient(), name).items():
        fall = steepest_fall(luma(result.astype(np.float32)))
        assert fall.max() <= STEP, f"{way}: column {fall.argmax()} falls by {fall.max():.1f}"


@pytest.mark.parametrize("name", STYLES)
def test_no_hue_flips(name: str) -> None:
    """Against the grey of its luma, in whatever tint that comes out, each patch leans to its own side of the circle."""
    before = patch_colours(patches())
    for way, result in stylized(patches(), name).items():
        after = patch_colours(result)
        turned = angles(before - before[:, :1], after - after[:, :1])[:, 1:-1]
        row, column = np.unravel_index(turned.argmax(), turned.shape)
        assert turned.max() < 90, f"{way}: hue {column} of {HUES} at luma {row} turns by {turned.max():.0f} degrees"


@pytest.mark.parametrize(("name",), with_known(zip(PHOTOS, strict=True), STRAYING_REDS))
def test_red_stays_red(name: str) -> None:
    """In the style of a photo, red of middling luma is nearer to red than to any other primary or its complement."""
    red = np.s_[1:-1, 1]
    for way, result in stylized(patches(), name).items():
        turned = angles(patch_colours(patches())[red], patch_colours(result)[red])
        assert turned.max() < 60, f"{way}: turns by {turned.max():.0f} degrees"
