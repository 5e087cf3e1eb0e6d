"""What a client asks for in the query and the headers of a request, checked."""

import math
import time
from dataclasses import dataclass

from aiohttp import web

from inference.errors import ApiError
from inference.limits import Limits
from inference.openapi import header, query
from inference.replies import KEY_FORM
from inference.styles import is_style_id
from mvstylizer.presets import is_preset_name
from mvstylizer.styles import MAX_PARTS

FORMS = ("jpeg", "png")
_NAMES = {"style", "quality", "format", "r"}
_MAX_DEADLINE_MS = 3_600_000
_POSITIVE = r"(0?[.][0-9]{0,6}[1-9]|[1-9][0-9]{0,6}([.][0-9]{1,6})?)"
_PART = rf"([0-9a-f]{{64}}|[a-z0-9]{{1,9}}(-[a-z0-9]{{1,9}}){{0,3}})(:{_POSITIVE})?"
_STYLE_FORM = rf"^{_PART}(,{_PART}){{0,{MAX_PARTS - 1}}}$"
"""For the OpenAPI document; what is accepted goes a little beyond it."""

DEADLINE = header(
    "X-Deadline-Ms",
    {"type": "integer", "minimum": 0, "maximum": _MAX_DEADLINE_MS},
    "milliseconds from now after which the reply is of no use, and the request is dropped",
)
STYLIZE_PARAMETERS = (
    query(
        "style",
        {"type": "string", "pattern": _STYLE_FORM},
        "ids of styles or names of presets, with weights for a blend: {id}:0.7,{id}:0.3",
        required=True,
    ),
    query("format", {"type": "string", "enum": list(FORMS), "default": "jpeg"}, "of the reply"),
    query("quality", {"type": "integer", "minimum": 1, "maximum": 100, "default": 95}, "of a JPEG"),
    query("r", {"type": "number", "minimum": Limits.min_r, "maximum": Limits.max_r, "default": 1},
          "size of the reply in parts of the frame's (paper Eq. 3)"),
    DEADLINE,
    header("Idempotency-Key", {"type": "string", "pattern": KEY_FORM},
           "new for each request, the same when it is sent again: the reply is then the same too"),
)  # fmt: skip


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
