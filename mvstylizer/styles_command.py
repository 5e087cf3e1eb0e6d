"""The command ``mvstylizer styles``: which presets a release has, and what they look like."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mvstylizer.errors import UsageError
from mvstylizer.options import Commands, add_command, add_release

if TYPE_CHECKING:
    from mvstylizer.styles import Picture


def add_styles(commands: Commands) -> None:
    """``mvstylizer styles``."""
    parser = add_command(
        commands,
        "styles",
        "List the presets of a release, or show them on a picture.",
        "mvstylizer styles --sheet looks.jpg --picture holiday.jpg",
        _styles,
    )
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write a picture in every preset to this jpg or png")
    parser.add_argument("--picture", type=Path, metavar="PHOTO", help="for the sheet; by default the demo's photograph")
    parser.add_argument("--force", action="store_true", help="overwrite the sheet if it exists")
    add_release(parser)


def _styles(options: argparse.Namespace) -> None:
    from mvstylizer import release as releases

    if options.picture and not options.sheet:
        raise UsageError("--picture is for the sheet; name one with --sheet FILE.jpg")
    release = releases.load(options.release or releases.bundled())
    if options.sheet:
        from mvstylizer.engine import Engine
        from mvstylizer.preset_sheet import write_sheet

        write_sheet(options.sheet, _sheet_picture(options.picture), Engine(release), options.force)
        print(options.sheet)
        return
    print("\n".join(f"{name:<16} {release.descriptions[name]}".rstrip() for name in release.presets)
          or f"release {release.version} has no presets")  # fmt: skip


def _sheet_picture(path: Path | None) -> "Picture":
    from mvstylizer.demo.backdrop import load_photo
    from mvstylizer.pictures import read_picture

    if path:
        return read_picture(path)
    try:
        return load_photo()
    except UsageError as error:
        raise UsageError(f"--sheet needs a picture to show: name one with --picture PHOTO ({error})") from error
