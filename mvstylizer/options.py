"""Commands and their options, which ``MVSTYLIZER_…`` variables may set too."""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from mvstylizer.errors import UsageError


@dataclass(frozen=True)
class _FromEnvironment:
    """A default that a variable holds; not a string, which argparse would convert without naming the variable."""

    variable: str
    text: str

    def __str__(self) -> str:
        return self.text


class Repeated(argparse.Action):
    """An option that may be given several times, for a list in the order given; a variable holds one of them."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        given = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [*given, values] if isinstance(given, list) else [values])


class Parser(argparse.ArgumentParser):
    """Options also come from ``MVSTYLIZER_…`` variables; mistakes become a UsageError like any other."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **settings)

    def setting(self, flag: str, help: str, **settings: Any) -> None:
        """An option whose default a variable of the same name may set; named in its help."""
        variable = "MVSTYLIZER_" + flag.removeprefix("--").replace("-", "_").upper()
        if os.environ.get(variable):
            settings["default"] = _FromEnvironment(variable, os.environ[variable])
            settings.pop("required", None)
        default = "" if settings.get("default") is None else ", default %(default)s"
        self.add_argument(flag, help=f"{help} [{variable}{default}]", **settings)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's own; then variables whose flag was not given are checked and converted like flags."""
        found, rest = super().parse_known_args(args, namespace)
        for action in self._actions:
            value = getattr(found, action.dest, None)
            if isinstance(value, _FromEnvironment):
                setattr(found, action.dest, self._converted(value, action))
        return found, rest

    def _converted(self, value: "_FromEnvironment", action: argparse.Action) -> Any:
        try:
            converted = self._get_value(action, value.text)
            self._check_value(action, converted)
        except argparse.ArgumentError as error:
            self.error(f"{value.variable}: {error.message}")
        return [converted] if isinstance(action, Repeated) else converted

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see '{self.prog} --help'")


Commands = Any  # argparse's class for subcommands is private.


def add_command(
    commands: Commands, name: str, summary: str, example: str, run: Callable[[argparse.Namespace], None]
) -> Parser:
    """The parser of a new subcommand that is carried out by ``run``."""
    parser: Parser = commands.add_parser(name, help=summary, description=summary, epilog=f"example:\n  {example}")
    parser.set_defaults(run=run)
    return parser


def add_release(parser: Parser) -> None:
    """The setting that says which release runs."""
    parser.setting("--release", "release to run instead of the bundled one", type=Path, metavar="DIR")
