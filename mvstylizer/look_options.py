"""The options that name a look and who is to make it, for every command that stylizes something."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mvstylizer.errors import UsageError
from mvstylizer.options import Parser, Repeated, add_release

if TYPE_CHECKING:
    from mvstylizer.styles import Style


def add_look(parser: Parser) -> None:
    """``--style``, ``--strength``, ``--edge`` and what belongs to it, and ``--release``."""
    parser.setting("--style", "PHOTO[:WEIGHT] or PRESET[:WEIGHT] to take the look from; repeat it to blend several",
                   action=Repeated, required=True, metavar="STYLE")  # fmt: skip
    parser.setting("--strength", "how much of the look, from 0 (none) to 1 (all)", type=float, default=1.0,
                   metavar="S")  # fmt: skip
    parser.setting("--edge", "stylize key frames on this edge instead of here; repeat it, or write several with "
                   "commas, and the quickest that is well is asked", action=Repeated, metavar="URL")  # fmt: skip
    parser.setting("--edge-token", "what the edge asks for; other users of this machine cannot see the variable",
                   metavar="TOKEN")  # fmt: skip
    parser.setting("--edge-ca", "PEM file of the certificates to trust for https, instead of the system's", type=Path,
                   metavar="FILE")  # fmt: skip
    parser.setting("--edge-patience", "seconds to go on asking while every edge is busy or away", type=float,
                   default=30.0, metavar="SECONDS")  # fmt: skip
    parser.setting("--offline-fallback", "without an answer from an edge for so long, go on with the release on this "
                   "machine", action="store_true")  # fmt: skip
    parser.setting("--contribute", "let the edge keep the key frames that it gets, to train on them",
                   action="store_true")  # fmt: skip
    add_release(parser)


def read_look(options: argparse.Namespace) -> "tuple[Style, list[Path]]":
    """The style of all ``--style``, and the photos that it was read from.

    Raises:
        InputError: a photo cannot be read.
        UsageError: a weight, the strength or the patience is not possible, there are too many styles, or there is
            nobody to contribute to.
    """
    from mvstylizer.propagation.look import check_strength
    from mvstylizer.styles import parse_look, read_style

    check_strength(options.strength)
    if not options.edge_patience >= 0:
        raise UsageError(f"--edge-patience {options.edge_patience:g} is not possible; choose 0 or more seconds")
    if options.contribute and not edge_urls(options):
        raise UsageError("--contribute offers key frames to an edge; name one with --edge")
    looks = [parse_look(text) for text in options.style]
    return read_style(looks), [each.look for each in looks if isinstance(each.look, Path)]


def edge_urls(options: argparse.Namespace) -> list[str]:
    """The addresses of all ``--edge``, where each may hold several, separated by commas or spaces; empty for none."""
    return [url for text in options.edge or [] for url in re.split(r"[\s,]+", text) if url]


def contributor_of(options: argparse.Namespace) -> str | None:
    """The id to offer key frames under; None unless ``--contribute`` asks for it.

    A dry run leaves nothing behind, so it offers nothing either.
    """
    if not options.contribute or getattr(options, "dry_run", False):
        return None
    from mvstylizer.contributor import contributor_id

    return contributor_id()
