"""Commands and their settings, which ``MVSTYLIZER_…`` variables and a TOML file may set too."""

import argparse
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from mvstylizer.errors import UsageError
from mvstylizer.settings_file import read_table, text_of

_PREFIX = "MVSTYLIZER_"
_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


@dataclass(frozen=True)
class Setting:
    """A setting of a command: a flag, a variable, and a key in the command's table of a TOML file.

    ``default`` counts where none of them is given, unless the setting is ``required``.
    """

    flag: str
    action: argparse.Action
    default: Any
    required: bool

    @property
    def variable(self) -> str:
        """The environment variable's name."""
        return _PREFIX + self.key.replace("-", "_").upper()

    @property
    def key(self) -> str:
        """The key in a TOML file."""
        return self.flag.removeprefix("--")


@dataclass(frozen=True)
class _NotGiven:
    """What the parser leaves where a flag was not given; no string, which argparse would convert at once."""

    default: Any

    def __str__(self) -> str:
        return {True: "on", False: "off"}[self.default] if isinstance(self.default, bool) else str(self.default)


class Repeated(argparse.Action):
    """An option that may be given several times, for a list in the order given.

    A variable holds one of them, a TOML file one or a list.
    """

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        given = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [*given, values] if isinstance(given, list) else [values])


class Parser(argparse.ArgumentParser):
    """Settings come from the flag, else the variable, else the TOML file; mistakes become a UsageError like any other.

    The TOML file is named by ``--config`` or ``MVSTYLIZER_CONFIG`` and read only where a command has settings.
    """

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)
        self.settings: list[Setting] = []
        self.command = ""
        self.commands: Mapping[str, argparse.ArgumentParser] = {}
        """All commands by name, and so the tables that a TOML file may have."""

    def setting(self, flag: str, help: str, **options: Any) -> None:
        """An option that a variable and a TOML file may set too; its help names the variable.

        ``options`` are those of ``add_argument``, ``action`` only ``Repeated`` or ``store_true``. The latter is a
        switch: ``--flag`` and ``--no-flag``, a variable of 1 or 0, true or false in TOML.
        """
        if options.get("action") == "store_true":
            # Without --no-flag, what a variable or a file puts on could not be put off for once.
            options |= {"action": argparse.BooleanOptionalAction, "default": options.get("default", False)}
        if not self.settings:
            self.add_argument("--config", metavar="FILE", help=f"TOML file with settings below [{self.command}], for "
                              f"what neither flags nor variables set [{_PREFIX}CONFIG]")  # fmt: skip
        required = options.pop("required", False)
        default = options.pop("default", None)
        told = ", required" if required else "" if default is None else ", default %(default)s"
        action = self.add_argument(flag, default=_NotGiven(default), **options)
        setting = Setting(flag, action, default, required)
        action.help = f"{help} [{setting.variable}{told}]"
        self.settings.append(setting)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's own; then settings whose flag was not given are looked for, checked and converted like flags.

        Raises UsageError: a value is not possible, a required setting is missing, or the TOML file cannot be used.
        """
        found, rest = super().parse_known_args(args, namespace)
        file, table = self._table(getattr(found, "config", None))
        for setting in self.settings:
            if isinstance(getattr(found, setting.action.dest), _NotGiven):
                setattr(found, setting.action.dest, self._value(setting, file, table))
        return found, rest

    def _table(self, config: str | None) -> tuple[str, dict[str, Any]]:
        file = os.environ.get(f"{_PREFIX}CONFIG") if config is None else config
        if not file or not self.settings:
            return "", {}
        keys = [setting.key for setting in self.settings]
        return file, read_table(Path(file), self.command, keys, self.commands)

    def _value(self, setting: Setting, file: str, table: dict[str, Any]) -> Any:
        action = setting.action
        texts, origin = [os.environ.get(setting.variable, "")], setting.variable
        if not texts[0] and setting.key in table:
            origin = f"{file}: [{self.command}] {setting.key}"
            value = table[setting.key]
            each = value if isinstance(action, Repeated) and isinstance(value, list) else [value]
            texts = [text_of(one, origin, action.type, is_switch=action.nargs == 0) for one in each]
        texts = [text for text in texts if text]
        if texts:
            values = [self._converted(text, action, origin) for text in texts]
            return values if isinstance(action, Repeated) else values[0]
        if setting.required:
            self.error(f"{setting.flag} is required, or {setting.variable}, or {setting.key} in the --config file")
        return setting.default

    def _converted(self, text: str, action: argparse.Action, origin: str) -> Any:
        if action.nargs == 0:
            if text.lower() not in _ON + _OFF:
                self.error(f"{origin}: {text!r} is neither on nor off; write 1 or 0")
            return text.lower() in _ON
        try:
            value = self._get_value(action, text)
            self._check_value(action, value)
        except argparse.ArgumentError as error:
            self.error(f"{origin}: {error.message}")
        return value

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see '{self.prog} --help'")


Commands = Any  # argparse's class for subcommands is private.


def add_command(
    commands: Commands, name: str, summary: str, example: str, run: Callable[[argparse.Namespace], None]
) -> Parser:
    """The parser of a new subcommand that is carried out by ``run``."""
    parser: Parser = commands.add_parser(name, help=summary, description=summary, epilog=f"example:\n  {example}")
    parser.set_defaults(run=run)
    parser.command, parser.commands = name, commands.choices
    return parser


def add_release(parser: Parser) -> None:
    """The setting that says which release runs."""
    parser.setting("--release", "release to run instead of the bundled one", type=Path, metavar="DIR")


def positive(text: str) -> int:
    """The type of options that count something: a whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)


def seconds(text: str) -> float:
    """The type of options that are a time: a finite number of 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return value
