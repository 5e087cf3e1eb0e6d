"""What a client asks for in the query and the headers of a request, checked."""

import math
import time
from dataclasses import dataclass

from aiohttp import web

from inference.errors import ApiError
from inference.limits import Limits
from inference.styles import is_style_id
from mvstylizer.presets import is_preset_name

FORMS = ("jpeg", "png")
_NAMES = {"style", "quality", "format", "r"}
_MAX_DEADLINE_MS = 3_600_000


@dataclass(frozen=True)
class StylizeParameters:
    """The query of ``POST /v1/stylize``."""

    styles: tuple[str, ...]
    """Ids, each a photo's sha256 or a preset's name."""
    weights: tuple[float, ...]
    quality: int
    form: str
    r: float

    @classmethod
    def of(cls, request: web.Request, limits: Limits) -> "StylizeParameters":
        """Read and check the query; raises ApiError 400 naming the parameter that is wrong."""
        query = request.query
        if unknown := sorted(set(query) - _NAMES):
            raise _bad(f"unknown parameter {unknown[0][:40]!r}; known are {', '.join(sorted(_NAMES))}")
        styles, weights = _styles(query.get("style", ""), limits.max_style_parts)
        form = query.get("format", "jpeg")
        if form not in FORMS:
            raise _bad(f"format must be one of {', '.join(FORMS)}")
        quality = _number("quality", query.get("quality", "95"), 1, 100)
        if quality != int(quality):
            raise _bad("quality must be a whole number")
        r = _number("r", query.get("r", "1"), limits.min_r, limits.max_r)
        return cls(styles, weights, int(quality), form, r)


def deadline_of(request: web.Request) -> float | None:
    """The ``time.monotonic`` instant that X-Deadline-Ms (milliseconds from now) names; None without one."""
    text = request.headers.get("X-Deadline-Ms")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 7 and int(text) <= _MAX_DEADLINE_MS):
        raise _bad(f"X-Deadline-Ms must be a whole number from 0 to {_MAX_DEADLINE_MS}")
    return time.monotonic() + int(text) / 1000


def _styles(text: str, most: int) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Ids and weights of ``id[:weight],…``."""
    parts = [part.partition(":") for part in text.split(",", most)]
    if len(parts) > most:
        raise _bad(f"style must name at most {most} styles")
    for style, _, _ in parts:
        if not (is_style_id(style) or is_preset_name(style)):
            raise _bad(
                "style must be ids, as in {id} or {id}:0.7,{id}:0.3: the lower-case hex sha256 of a photo that was PUT "
                "to /v1/styles/{id}, or the name of a preset that GET /v1/styles lists"
            )
    return tuple(style for style, _, _ in parts), tuple(_weight(weight) if colon else 1.0 for _, colon, weight in parts)


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = float("nan")
    if not 0 < weight < math.inf:
        raise _bad("a style's weight must be a finite number above 0")
    return weight


def _number(name: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise _bad(f"{name} must be a number from {low:g} to {high:g}")
    return value


def _bad(text: str) -> ApiError:
    return ApiError(400, "bad-parameter", text)
