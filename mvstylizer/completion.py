"""Completion of the command line in shells, by shtab."""

import argparse
from collections.abc import Iterator
from pathlib import Path

SHELLS = ("bash", "zsh", "fish")
_FOLDERS = ("DIR",)
_FILES = ("FILE", "PHOTO", "STYLE", "INPUT", "VIDEO")


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """What ``shell`` has to read to complete the options of ``parser`` and its commands, and names of files."""
    import shtab

    for action in _actions(parser):
        if action.metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.metavar in _FILES or action.type is Path or action.dest == "output":
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
