"""What a client asks for in the query and the headers of a request, checked."""

import time
from dataclasses import dataclass

from aiohttp import web

from inference.errors import ApiError
from inference.limits import Limits
from inference.styles import is_style_id

FORMS = ("jpeg", "png")
_NAMES = {"style", "quality", "format", "r"}
_MAX_DEADLINE_MS = 3_600_000


@dataclass(frozen=True)
class StylizeParameters:
    """The query of ``POST /v1/stylize``."""

    style: str
    quality: int
    form: str
    r: float

    @classmethod
    def of(cls, request: web.Request, limits: Limits) -> "StylizeParameters":
        """Read and check the query; raises ApiError 400 naming the parameter that is wrong."""
        query = request.query
        if unknown := sorted(set(query) - _NAMES):
            raise _bad(f"unknown parameter {unknown[0][:40]!r}; known are {', '.join(sorted(_NAMES))}")
        style = query.get("style", "")
        if not is_style_id(style):
            raise _bad("style must be the lower-case hex sha256 of a photo that was PUT to /v1/styles/{id}")
        form = query.get("format", "jpeg")
        if form not in FORMS:
            raise _bad(f"format must be one of {', '.join(FORMS)}")
        quality = _number("quality", query.get("quality", "95"), 1, 100)
        if quality != int(quality):
            raise _bad("quality must be a whole number")
        r = _number("r", query.get("r", "1"), limits.min_r, limits.max_r)
        return cls(style, int(quality), form, r)


def deadline_of(request: web.Request) -> float | None:
    """The ``time.monotonic`` instant that X-Deadline-Ms (milliseconds from now) names; None without one."""
    text = request.headers.get("X-Deadline-Ms")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 7 and int(text) <= _MAX_DEADLINE_MS):
        raise _bad(f"X-Deadline-Ms must be a whole number from 0 to {_MAX_DEADLINE_MS}")
    return time.monotonic() + int(text) / 1000


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
