"""The options that name a look and who is to make it, for every command that stylizes something."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mvstylizer.errors import UsageError
from mvstylizer.options import Parser, Repeated, add_release

if TYPE_CHECKING:
    from mvstylizer.styles import Style


def add_look(parser: Parser) -> None:
    """``--style``, ``--strength``, ``--edge``, ``--edge-patience``, ``--offline-fallback`` and ``--release``."""
    parser.setting("--style", "PHOTO[:WEIGHT] or PRESET[:WEIGHT] to take the look from; repeat it to blend several",
                   action=Repeated, required=True, metavar="STYLE")  # fmt: skip
    parser.setting("--strength", "how much of the look, from 0 (none) to 1 (all)", type=float, default=1.0,
                   metavar="S")  # fmt: skip
    parser.setting("--edge", "stylize key frames on this edge instead of here", metavar="URL")
    parser.setting("--edge-patience", "seconds to go on asking an edge that is busy or away", type=float, default=30.0,
                   metavar="SECONDS")  # fmt: skip
    parser.add_argument("--offline-fallback", action="store_true", help="without an answer from the edge for so long, "
                        "go on with the release on this machine")  # fmt: skip
    add_release(parser)


def read_look(options: argparse.Namespace) -> "tuple[Style, list[Path]]":
    """The style of all ``--style``, and the photos that it was read from.

    Raises:
        InputError: a photo cannot be read.
        UsageError: a weight, the strength or the patience is not possible, or there are too many styles.
    """
    from mvstylizer.propagation.look import check_strength
    from mvstylizer.styles import parse_look, read_style

    check_strength(options.strength)
    if not options.edge_patience >= 0:
        raise UsageError(f"--edge-patience {options.edge_patience:g} is not possible; choose 0 or more seconds")
    looks = [parse_look(text) for text in options.style]
    return read_style(looks), [each.look for each in looks if isinstance(each.look, Path)]
