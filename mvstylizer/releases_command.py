"""The options of ``mvstylizer releases``."""

import argparse
from collections.abc import Callable
from pathlib import Path

from mvstylizer.options import Commands, Parser, add_command, positive

_NAME = "releases"
_ACTIONS = {
    "list": "Show the releases of an edge, and which of them runs.",
    "publish": "Give a release to an edge, and run it from now on.",
    "load": "Run a release that the edge has.",
    "rollback": "Run the release that ran before.",
}


def add_releases(commands: Commands, run: Callable[[argparse.Namespace], None]) -> None:
    """The subcommand and its own ones; ``run`` carries out ``options.action``."""
    outer = add_command(
        commands,
        _NAME,
        "Change the release that an edge runs, while it runs.",
        "mvstylizer releases publish releases/2026.12-1 --data-dir /var/lib/mvstylizer",
        run,
    )
    actions = outer.add_subparsers(title="actions", required=True, metavar="ACTION", parser_class=Parser)
    parsers = {name: _add_action(actions, name, summary, commands, run) for name, summary in _ACTIONS.items()}
    parsers["publish"].add_argument("directory", type=Path, metavar="RELEASE_DIR", help="what mvstylizer export wrote")
    parsers["publish"].add_argument("--keep", type=positive, metavar="N", help="then delete all but the N newest "
                                    "releases, the running and the previous one; by default none is")  # fmt: skip
    parsers["load"].add_argument("version", metavar="VERSION", help="one that list shows")


def _add_action(
    actions: Commands, name: str, summary: str, commands: Commands, run: Callable[[argparse.Namespace], None]
) -> Parser:
    words = {"publish": " RELEASE_DIR", "load": " 2026.11-3"}.get(name, "")
    parser = add_command(actions, name, summary, f"mvstylizer releases {name}{words} --data-dir DIR", run)
    # In a TOML file they share one table, beside those of the other commands.
    parser.command, parser.commands = _NAME, commands.choices
    parser.set_defaults(action=name)
    parser.setting("--data-dir", "directory of the edge, as for serve", type=Path, required=True, metavar="DIR")
    return parser
