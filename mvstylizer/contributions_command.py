"""The command ``mvstylizer contributions``: what edges keep of this device's key frames, and having it deleted."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from mvstylizer.contributor import forget, known_id
from mvstylizer.errors import EdgeError, UsageError
from mvstylizer.look_options import edge_urls
from mvstylizer.options import Commands, Repeated, add_command

_MEGABYTE = 1_000_000


AskEdge = Callable[[str, str, argparse.Namespace], Mapping[str, int]]
"""URL of an edge, the contributor's id and the options → the counts ``frames`` and ``bytes``, or ``deleted`` if that is
the action; raises EdgeError."""


def add_contributions(commands: Commands, ask: AskEdge) -> None:
    """``mvstylizer contributions``; ``ask`` reaches an edge."""
    parser = add_command(
        commands,
        "contributions",
        "Show or delete the key frames that edges keep of this device.",
        "mvstylizer contributions delete --edge https://edge.example",
        lambda options: _run(options, ask),
    )
    parser.add_argument("action", choices=("show", "delete"))
    parser.setting("--edge", "an edge that frames were offered to; repeat it, or write several with commas",
                   action=Repeated, required=True, metavar="URL")  # fmt: skip
    parser.setting("--edge-token", "as for stylize", metavar="TOKEN")
    parser.setting("--edge-ca", "as for stylize", type=Path, metavar="FILE")
    parser.add_argument("--forget", action="store_true", help="when all these edges have deleted, take a new id for "
                        "what is offered later: no edge can tell that both are of one device")  # fmt: skip


def _run(options: argparse.Namespace, ask: AskEdge) -> None:
    if options.forget and options.action != "delete":
        raise UsageError("--forget belongs to delete: without its id, what edges keep cannot be shown or deleted")
    contributor = known_id()
    if contributor is None:
        print("nothing was ever offered from here")
        return
    failures = []
    for url in edge_urls(options):
        try:
            print(f"{url}: {_told(ask(url, contributor, options))}", flush=True)
        except EdgeError as error:  # one that is away keeps nothing from being deleted on the others
            failures.append(error)
    if failures:
        raise EdgeError("; ".join(map(str, failures))) from failures[0]
    if options.forget:
        forget()


def _told(counts: Mapping[str, int]) -> str:
    if "deleted" in counts:
        return f"{_frames(counts['deleted'])} deleted"
    return f"{_frames(counts['frames'])}, {counts['bytes'] / _MEGABYTE:.1f} MB"


def _frames(n: int) -> str:
    return "1 frame" if n == 1 else f"{n} frames"
