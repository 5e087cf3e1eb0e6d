"""MVStylizer as a library: what the command line does, as calls; ``import mvstylizer`` has them all.

    import mvstylizer
    mvstylizer.stylize_video("in.mp4", "sunset.jpg", "out.mp4")
    mvstylizer.stylize_video("in.mp4", [("golden-hour", 2), "sunset.jpg"], "out.mp4", mvstylizer.DeviceOptions(crf=23))

Styles are named as on the command line, ``PHOTO[:WEIGHT]`` or ``PRESET[:WEIGHT]``; or they are paths, pictures as
RGB ``(H, W, 3) uint8`` arrays, a ``Style``, or a list of names, paths and arrays, each alone or with its weight. All
that can go wrong is a ``MVStylizerError``.

Key frames are stylized in this process unless a ``stylizer`` is given, such as an edge::

    from inference.client import EdgeStylizer
    with EdgeStylizer("http://edge:8080") as edge:
        mvstylizer.stylize_video("in.mp4", "sunset.jpg", "out.mp4", stylizer=edge)
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from fractions import Fraction
from os import PathLike
from pathlib import Path

import numpy as np

from mvstylizer import device
from mvstylizer import preview as previews
from mvstylizer.compare import pictures_side_by_side
from mvstylizer.device import DeviceOptions, KeyFrameStylizer, Picture, Progress
from mvstylizer.engine import Engine, LocalStylizer
from mvstylizer.errors import MVStylizerError
from mvstylizer.pictures import read_picture, refuse_picture_target, write_picture
from mvstylizer.preview import Preview
from mvstylizer.sources import refuse_overwriting
from mvstylizer.styles import Part, Style, parse_look

__all__ = [
    "DeviceOptions",
    "Engine",
    "KeyFrameStylizer",
    "LocalStylizer",
    "MVStylizerError",
    "Part",
    "Preview",
    "Progress",
    "Style",
    "preview_video",
    "stylize_picture",
    "stylize_video",
]

File = str | PathLike[str]
Look = File | Picture
StyleLike = Look | Style | Sequence[Look | tuple[Look, float]]


def stylize_video(
    source: File,
    style: StyleLike,
    output: File,
    options: DeviceOptions | None = None,
    *,
    stylizer: KeyFrameStylizer | None = None,
    report: Callable[[Progress], None] = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> Progress:
    """Write the video ``source`` in a style to ``output``; returns how many frames, and key frames, it has.

    ``report`` is called after every frame; ``note`` is told, in a line each, what will not be as in the source. After
    an interruption the same call goes on where it was.

    Raises:
        InputError: the source or a photo cannot be read.
        UsageError: there is no such preset, or an option is not possible.
        OutputError, NoSpaceError: the output cannot be written, or is there and ``options.overwrite`` is not set.
        EdgeError: the stylizer is an edge and it failed.
    """
    chosen = as_style(style)
    _refuse_overwriting(Path(output), source, style)
    with _ready(stylizer) as ready:
        return device.stylize_video(Path(source), chosen, Path(output), ready, options, report, note)


def stylize_picture(
    source: File,
    style: StyleLike,
    output: File,
    options: DeviceOptions | None = None,
    *,
    stylizer: KeyFrameStylizer | None = None,
) -> None:
    """Write the picture ``source`` in a style to ``output``, at its full size; raises what ``stylize_video`` does."""
    options = options or DeviceOptions()
    chosen = as_style(style)
    _refuse_overwriting(Path(output), source, style)
    refuse_picture_target(Path(output), options.overwrite)
    picture = read_picture(source)
    with _ready(stylizer) as ready:
        stylized = device.stylize_picture(picture, chosen, ready, options.proxy_size, options.strength)
    shown = pictures_side_by_side(picture, stylized) if options.compare else stylized
    write_picture(output, shown, overwrite=options.overwrite)


def preview_video(
    source: File,
    style: StyleLike,
    seconds: float | Fraction | None = None,
    options: DeviceOptions | None = None,
    *,
    stylizer: KeyFrameStylizer | None = None,
) -> Preview:
    """The frame that a viewer sees ``seconds`` after the video begins (None: in its middle), before and after.

    Writes nothing. Raises InputError, UsageError (also when the video is over by then) and EdgeError.
    """
    chosen = as_style(style)
    time = None if seconds is None else Fraction(seconds)
    with _ready(stylizer) as ready:
        return previews.preview_video(source, chosen, ready, time, options)


def as_style(style: StyleLike) -> Style:
    """The style that is meant, its photos read.

    Raises:
        InputError: a photo is not there or cannot be read.
        UsageError: a weight is not possible, or there are too many parts.
    """
    if isinstance(style, Style):
        return style
    looks = [_named(each) for each in _listed(style)]
    return Style(tuple(Part(read_picture(look) if isinstance(look, Path) else look, weight) for look, weight in looks))


def _listed(style: StyleLike) -> Sequence[Look | tuple[Look, float]]:
    if isinstance(style, Style):
        return []
    return [style] if isinstance(style, str | PathLike | np.ndarray) else style


def _named(each: Look | tuple[Look, float]) -> tuple[Path | str | Picture, float]:
    """A photo's path, a preset's name or pixels; and the weight."""
    look, weight = each if isinstance(each, tuple) else (each, 1.0)
    if isinstance(look, str):
        named = parse_look(look)
        return named.look, weight * named.weight
    return (look if isinstance(look, np.ndarray) else Path(look)), weight


def _refuse_overwriting(output: Path, source: File, style: StyleLike) -> None:
    """Neither the source nor a style's photo may be lost, whatever ``overwrite`` says."""
    photos = [look for look, _ in map(_named, _listed(style)) if isinstance(look, Path)]
    refuse_overwriting(output, [Path(source), *photos])


@contextmanager
def _ready(stylizer: KeyFrameStylizer | None) -> Iterator[KeyFrameStylizer]:
    """The caller's own stylizer, which stays open, or the bundled release for as long as the block runs."""
    if stylizer is not None:
        yield stylizer
        return
    with closing(LocalStylizer(Engine())) as local:
        yield local
