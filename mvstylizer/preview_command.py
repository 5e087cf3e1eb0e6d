"""The command ``mvstylizer preview``: one frame of a video before and after, in seconds."""

import argparse
import re
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from mvstylizer.errors import UsageError
from mvstylizer.look_options import add_look, read_look
from mvstylizer.options import Commands, add_command
from mvstylizer.sources import is_picture, refuse_overwriting

if TYPE_CHECKING:
    from mvstylizer.device import KeyFrameStylizer

_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)s?", re.ASCII)


def add_preview(commands: Commands, open_stylizer: Callable[[argparse.Namespace], "KeyFrameStylizer"]) -> None:
    """``mvstylizer preview``; ``open_stylizer`` makes what the options ask for, an edge or the engine."""
    parser = add_command(
        commands,
        "preview",
        "Show one frame of a video before and after, as a picture.",
        "mvstylizer preview holiday.mp4 --at 1:02 --style sunset.jpg -o look.jpg",
        lambda options: _preview(options, open_stylizer),
    )
    parser.add_argument("input", type=Path, metavar="VIDEO")
    parser.add_argument("--at", metavar="TIME", help="3, 3.5s, 1:02 or 00:01:02.5; default the middle")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="jpg, png or webp; default "
                        "VIDEO-TIME-STYLE.jpg in the working directory")  # fmt: skip
    parser.add_argument("--force", action="store_true", help="overwrite the picture if it exists")
    add_look(parser)
    parser.setting("--propagation", "as for stylize", choices=("affine", "warp"), default="affine")


def parse_time(text: str) -> Fraction:
    """Seconds of ``3``, ``3s``, ``1:02`` (minutes) or ``00:01:02.5`` (hours), exactly; UsageError for anything else."""
    match = _TIME.fullmatch(text.strip())
    hours, minutes, seconds = (Fraction(part or 0) for part in match.groups()) if match else (Fraction(0),) * 3
    if match is None or (match[2] and seconds >= 60) or (match[1] and minutes >= 60):
        raise UsageError(f"--at {text}: not a time; write seconds (3 or 3.5s), 1:02 or 00:01:02.5")
    return 3600 * hours + 60 * minutes + seconds


def _preview(options: argparse.Namespace, open_stylizer: Callable[[argparse.Namespace], "KeyFrameStylizer"]) -> None:
    from mvstylizer.device import DeviceOptions
    from mvstylizer.pictures import refuse_picture_target, write_picture
    from mvstylizer.preview import preview_video

    if is_picture(options.input):
        raise UsageError(f"{options.input}: is a picture; see it whole: mvstylizer stylize --compare")
    seconds = None if options.at is None else parse_time(options.at)
    style, photos = read_look(options)
    output = options.output or _default_name(options.input, seconds, options.style)
    refuse_overwriting(output, [options.input, *photos])
    refuse_picture_target(output, options.force)
    device = DeviceOptions(strength=options.strength, propagation=options.propagation)
    with closing(open_stylizer(options)) as stylizer:
        preview = preview_video(options.input, style, stylizer, seconds, device)
    write_picture(output, preview.side_by_side(), overwrite=options.force)
    print(output)


def _default_name(video: Path, seconds: Fraction | None, styles: list[str]) -> Path:
    """Tells videos, times and styles apart, so that one look can be tried after the other."""
    from mvstylizer.styles import parse_look

    at = "middle" if seconds is None else f"{float(seconds):g}s"
    return Path("-".join([video.stem, at, "+".join(Path(parse_look(text).look).stem for text in styles)]) + ".jpg")
