"""Line and bar plots as PNG, drawn with OpenCV: what a table shows badly, without another package to install."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvstylizer.pictures import write_picture

WIDTH, HEIGHT = 960, 600
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 30, 50, 70
_COLOURS = (
    (31, 119, 180),
    (214, 39, 40),
    (44, 160, 44),
    (255, 127, 14),
    (148, 103, 189),
    (110, 90, 80),
    (23, 160, 175),
)
_INK, _GRID = (30, 30, 30), (225, 225, 225)
_TICKS = 6


@dataclass(frozen=True)
class Line:
    """Points ``(x, y)`` by x, joined by a line, and what the legend calls them."""

    name: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float, float]] = ()
    """How far repetitions spread: ``(x, lowest, highest)`` by x, filled faintly."""


@dataclass(frozen=True)
class Bar:
    """A bar of parts one after the other, ``(name, length)``, and what it is called."""

    name: str
    parts: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class _Frame:
    """Where values lie in the picture."""

    x: tuple[float, float]
    y: tuple[float, float]
    logarithmic: bool

    def at(self, x: float, y: float) -> tuple[int, int]:
        if self.logarithmic:
            across = np.log(x / self.x[0]) / np.log(self.x[1] / self.x[0])
        else:
            across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return (
            round(_LEFT + float(across) * (WIDTH - _LEFT - _RIGHT)),
            round(HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM)),
        )


def line_plot(
    lines: Sequence[Line], title: str, x_name: str, y_name: str, logarithmic: bool = True
) -> NDArray[np.uint8]:
    """RGB ``(HEIGHT, WIDTH, 3) uint8``; on a logarithmic x axis all x must be above 0."""
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    xs = sorted({x for line in lines for x, _ in line.points})
    ys = [y for line in lines for _, y in line.points]
    ys += [y for line in lines for _, *spread in line.band for y in spread]
    margin = 0.05 * (max(ys) - min(ys) or 1)
    side = 0.02 * (xs[-1] - xs[0] or 1)
    ends = (xs[0] / 1.05, xs[-1] * 1.05) if logarithmic else (xs[0] - side, xs[-1] + side)
    frame = _Frame(ends, (min(ys) - margin, max(ys) + margin), logarithmic)
    for number, line in enumerate(lines):
        _draw_band(picture, frame, line, _COLOURS[number % len(_COLOURS)])
    _draw_axes(picture, frame, xs)
    legend = WIDTH // 2 if _falls(lines) else _LEFT + 20
    for number, line in enumerate(lines):
        _draw_line(picture, frame, line, _COLOURS[number % len(_COLOURS)])
        _write(picture, line.name, (legend, _TOP + 25 + 22 * number), _COLOURS[number % len(_COLOURS)])
    _write(picture, title, (_LEFT + 60, 26), _INK, 0.6)
    _write(picture, x_name, (WIDTH // 2 - 5 * len(x_name), HEIGHT - 18))
    _write(picture, y_name, (8, _TOP - 12))
    return picture


def bar_plot(bars: Sequence[Bar], title: str) -> NDArray[np.uint8]:
    """RGB ``(height, WIDTH, 3) uint8``: bars below one another in one scale, with the same parts in the same order.

    Parts are told apart by colour, named in a legend, and labelled with their length where there is room.
    """
    thick, step, legend = 64, 110, 60
    picture = np.full((_TOP + step * len(bars) + legend, WIDTH, 3), 255, np.uint8)
    scale = (WIDTH - 2 * _RIGHT - 70) / max(sum(length for _, length in bar.parts) for bar in bars)
    _write(picture, title, (_RIGHT, 28), _INK, 0.6)
    for number, bar in enumerate(bars):
        top, begin = _TOP + step * number + 24, 0.0
        _write(picture, bar.name, (_RIGHT, top - 8))
        for (_, length), colour in zip(bar.parts, _COLOURS, strict=False):
            left, right = (_RIGHT + round(x * scale) for x in (begin, begin + length))
            cv2.rectangle(picture, (left, top), (right, top + thick), colour, cv2.FILLED)
            if right - left > 40:
                _write(picture, f"{length:.1f}", ((left + right) // 2 - 16, top + thick // 2 + 5), (255, 255, 255))
            begin += length
        _write(picture, f"{begin:.1f}", (_RIGHT + round(begin * scale) + 8, top + thick // 2 + 5))
    left, row = _RIGHT, picture.shape[0] - 24
    for (name, _), colour in zip(bars[0].parts, _COLOURS, strict=False):
        cv2.rectangle(picture, (left, row - 12), (left + 14, row + 2), colour, cv2.FILLED)
        _write(picture, name, (left + 20, row))
        left += 48 + 9 * len(name)
    return picture


def write_plot(
    path: Path, lines: Sequence[Line], title: str, x_name: str, y_name: str, logarithmic: bool = True
) -> None:
    """``line_plot`` as a PNG, in the place of one that is there."""
    write_picture(path, line_plot(lines, title, x_name, y_name, logarithmic), overwrite=True)


def _falls(lines: Sequence[Line]) -> bool:
    """Whether the upper right corner is the emptier one."""
    return sum(line.points[0][1] - line.points[-1][1] for line in lines) > 0


def _draw_axes(picture: NDArray[np.uint8], frame: _Frame, xs: Sequence[float]) -> None:
    shown = -1000
    for x in xs:
        column, row = frame.at(x, frame.y[0])
        if column - shown > 45:
            cv2.line(picture, (column, row), (column, _TOP), _GRID, 1)
            _write(picture, f"{x:g}", (column - 10, row + 22))
            shown = column
    for y in np.linspace(*frame.y, _TICKS):
        column, row = frame.at(frame.x[0], float(y))
        cv2.line(picture, (column, row), (WIDTH - _RIGHT, row), _GRID, 1)
        _write(picture, f"{y:.4g}", (8, row + 5))


def _draw_band(picture: NDArray[np.uint8], frame: _Frame, line: Line, colour: tuple[int, int, int]) -> None:
    outline = [frame.at(x, low) for x, low, _ in line.band] + [frame.at(x, high) for x, _, high in reversed(line.band)]
    if outline:
        filled = cv2.fillPoly(picture.copy(), [np.array(outline, np.int32)], colour)
        cv2.addWeighted(filled, 0.15, picture, 0.85, 0, dst=picture)


def _draw_line(picture: NDArray[np.uint8], frame: _Frame, line: Line, colour: tuple[int, int, int]) -> None:
    corners = [frame.at(x, y) for x, y in line.points]
    cv2.polylines(picture, [np.array(corners, np.int32)], False, colour, 2, cv2.LINE_AA)
    for corner in corners:
        cv2.circle(picture, corner, 4, colour, cv2.FILLED, cv2.LINE_AA)


def _write(
    picture: NDArray[np.uint8], text: str, at: tuple[int, int], colour: tuple[int, int, int] = _INK, size: float = 0.48
) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
