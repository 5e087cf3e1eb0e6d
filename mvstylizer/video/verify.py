"""Looks at a finished file before it gets its name: what was written must be what is there."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from mvstylizer.errors import InputError, OutputError
from mvstylizer.video.info import open_container, picture_stream

# Matroska keeps times on a grid of 1 ms.
_MATROSKA_ROUNDING = Fraction(1, 2000)


@dataclass(frozen=True)
class Expected:
    """What a finished file is to hold: frames, seconds of the first and the last, copied tracks by type."""

    frames: int
    first: Fraction
    last: Fraction
    tracks: dict[str, int]


def verify(part: Path, target: Path, expected: Expected) -> None:
    """Count packets, compare the first and last time and the tracks, decode the first frame.

    Raises OutputError, naming ``target``, when something differs.
    """
    try:
        found, tolerance = _found(part, expected)
    except (InputError, av.FFmpegError) as error:
        raise _mismatch(target, f"it cannot be read back ({error})") from error
    if found.frames != expected.frames:
        raise _mismatch(target, f"{found.frames} of {expected.frames} frames arrived")
    if max(abs(found.first - expected.first), abs(found.last - expected.last)) > tolerance:
        raise _mismatch(
            target,
            f"it runs from {float(found.first):.4f} to {float(found.last):.4f} s and not "
            f"from {float(expected.first):.4f} to {float(expected.last):.4f} s",
        )
    if found.tracks != expected.tracks:
        raise _mismatch(target, f"it holds the tracks {found.tracks} and not {expected.tracks}")


def _found(part: Path, expected: Expected) -> tuple[Expected, Fraction]:
    with open_container(part) as container:
        stream = picture_stream(container, part)
        if next(container.decode(stream), None) is None:
            raise InputError("no frame decodes")
        tolerance = _MATROSKA_ROUNDING if container.format.name.startswith("matroska") else Fraction(0)
        tracks = {kind: sum(each.type == kind for each in container.streams) for kind in expected.tracks}
    with open_container(part) as container:
        stream = picture_stream(container, part)
        times = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
        time_base = stream.time_base or Fraction(1)
    first, last = min(times, default=0) * time_base, max(times, default=0) * time_base
    return Expected(len(times), first, last, tracks), tolerance


def _mismatch(target: Path, what: str) -> OutputError:
    return OutputError(f"{target}: was not written, because the result is not what it should be: {what}")
