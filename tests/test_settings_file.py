"""Settings in a TOML file: what wins, what is converted, and every mistake that the file may hold."""

import argparse
import os
from pathlib import Path
from typing import Any

import pytest

from mvstylizer.errors import UsageError
from mvstylizer.options import Parser, Repeated, add_command


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("MVSTYLIZER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def parser() -> Parser:
    """A command ``oven`` with a setting of every kind, ``fridge`` with another's, and ``lamp`` with none."""
    main = Parser(prog="house")
    commands = main.add_subparsers(required=True, parser_class=Parser)
    oven = add_command(commands, "oven", "Bakes.", "house oven", lambda options: None)
    oven.setting("--heat", "degrees", type=int, default=180)
    oven.setting("--door-gap", "millimetres", type=float, default=0.0)
    oven.setting("--tray", "where", type=Path)
    oven.setting("--mode", "how", choices=("fan", "grill"), default="fan")
    oven.setting("--dish", "what", action=Repeated, required=True)
    oven.setting("--guest", "who", action=Repeated)
    oven.setting("--time", "how long", type=minutes)
    oven.setting("--light", "whether the light is on", action="store_true")
    oven.setting("--timer", "whether it rings", action="store_true", default=True)
    add_command(commands, "fridge", "Cools.", "house fridge", lambda options: None).setting("--heat", "degrees")
    add_command(commands, "lamp", "Shines.", "house lamp", lambda options: None)
    return main


def minutes(text: str) -> float:
    """Seconds of a number of minutes."""
    return 60 * float(text)


def write(text: str) -> str:
    Path("house.toml").write_text(text)
    return "house.toml"


def parse(*arguments: str, command: str = "oven") -> dict[str, Any]:
    return vars(parser().parse_args([command, *arguments]))


EVERYTHING = """
[oven]
heat = 200
door-gap = 3
tray = "top"
mode = "grill"
dish = ["bread", "cake"]
guest = "Ada"
time = 1.5
light = true
timer = false

[fridge]
whatever = "is the fridge's own affair"
"""


def test_a_file_sets_everything() -> None:
    """Each key is converted as its flag would be; a repeated one may be a list; other commands' tables are let be."""
    found = parse("--config", write(EVERYTHING))
    del found["run"]
    assert found == {
        "config": "house.toml", "heat": 200, "door_gap": 3.0, "tray": Path("top"), "mode": "grill",
        "dish": ["bread", "cake"], "guest": ["Ada"], "time": 90.0, "light": True, "timer": False,
    }  # fmt: skip
    assert type(found["door_gap"]) is float


def test_what_is_not_set_has_its_default() -> None:
    """A file without the command's table, or with an empty one, sets nothing; so do an empty text and an empty list."""
    for text in ("", "[oven]", "[fridge]\nheat = '4'", "[oven]\ntray = ''\nguest = []\n"):
        found = parse("--config", write(text), "--dish", "soup")
        assert (found["heat"], found["mode"], found["tray"], found["guest"]) == (180, "fan", None, None)
        assert (found["dish"], found["light"], found["timer"]) == (["soup"], False, True)


def test_flags_win_over_variables_and_these_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order; a value that is overruled need not even be possible, and an empty variable overrules nothing."""
    file = write("[oven]\nheat = 200\nmode = 'microwave'\ndish = ['bread', 'cake']\nlight = true\ntimer = true")
    monkeypatch.setenv("MVSTYLIZER_HEAT", "210")
    monkeypatch.setenv("MVSTYLIZER_DISH", "soup")
    monkeypatch.setenv("MVSTYLIZER_TIMER", "no")
    monkeypatch.setenv("MVSTYLIZER_LIGHT", "")
    found = parse("--config", file, "--mode", "grill")
    assert (found["heat"], found["dish"], found["mode"]) == (210, ["soup"], "grill")
    assert (found["light"], found["timer"]) == (True, False)
    found = parse("--config", file, "--mode", "fan", "--heat", "0", "--dish", "a", "--dish", "b", "--no-light")
    assert (found["heat"], found["dish"], found["light"]) == (0, ["a", "b"], False)


def test_a_variable_may_name_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """MVSTYLIZER_CONFIG stands in for --config, which wins; commands without settings do not care."""
    monkeypatch.setenv("MVSTYLIZER_CONFIG", write("[oven]\nheat = 200\ndish = 'bread'"))
    assert parse()["heat"] == 200
    Path("other.toml").write_text("[oven]\nheat = 90\ndish = 'bread'")
    assert parse("--config=other.toml")["heat"] == 90
    assert parse("--config", "", "--dish", "soup")["heat"] == 180
    monkeypatch.setenv("MVSTYLIZER_CONFIG", "missing.toml")
    assert "config" not in parse(command="lamp")
    with pytest.raises(UsageError, match=r"missing\.toml: cannot be read"):
        parse()


@pytest.mark.parametrize("text", ["0", "false", "No", "OFF"])
def test_a_variable_switches_off(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Words for off put off what a file has put on; what is no such word is refused."""
    monkeypatch.setenv("MVSTYLIZER_LIGHT", text)
    assert parse("--config", write("[oven]\nlight = true"), "--dish", "soup")["light"] is False
    monkeypatch.setenv("MVSTYLIZER_LIGHT", f"{text}!")
    with pytest.raises(UsageError, match=f"MVSTYLIZER_LIGHT: '{text}!' is neither on nor off"):
        parse("--dish", "soup")


def test_what_is_required_may_come_from_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any of the three, the error names them all."""
    with pytest.raises(UsageError, match="--dish is required, or MVSTYLIZER_DISH, or dish in the --config file"):
        parse()
    with pytest.raises(UsageError, match="--dish is required"):
        parse("--config", write("[oven]\ndish = []"))
    assert parse("--config", write("[oven]\ndish = 'bread'"))["dish"] == ["bread"]
    monkeypatch.setenv("MVSTYLIZER_DISH", "soup")
    assert parse()["dish"] == ["soup"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("heat = '200'", r"\[oven\] heat: must be a whole number, not '200' \(str\)"),
        ("heat = 200.5", r"\[oven\] heat: must be a whole number"),
        ("heat = true", r"\[oven\] heat: must be a whole number, not 'True' \(bool\)"),
        ("heat = [1, 2]", r"\[oven\] heat: must be a whole number"),
        ("door-gap = 'wide'", r"\[oven\] door-gap: must be a number"),
        ("tray = 3", r"\[oven\] tray: must be a string"),
        ("mode = 1", r"\[oven\] mode: must be a string"),
        ("mode = 'microwave'", r"\[oven\] mode: invalid choice: 'microwave'"),
        ("guest = ['Ada', 3]", r"\[oven\] guest: must be a string, not '3'"),
        ("light = 'yes'", r"\[oven\] light: must be true or false, not 'yes'"),
        ("timer = 1", r"\[oven\] timer: must be true or false"),
        ("time = 'soon'", r"\[oven\] time: invalid minutes value: 'soon'"),
        ("time = 2026-11-21", r"\[oven\] time: must be a string or a number"),
        ("time = {}", r"\[oven\] time: must be a string or a number"),
        ("door_gap = 3", r"\[oven\] has no setting 'door_gap'; it has heat, door-gap"),
        ("config = 'x.toml'", r"\[oven\] has no setting 'config'"),
        ("[ovn]\nheat = 3", r"\[ovn\] is no command; known are oven, fridge, lamp"),
        ("[oven.heat]", r"\[oven\] heat: must be a whole number"),
        ("heat 200", r"is no TOML \(.*line 2"),
        ("heat = 1\nheat = 2", r"is no TOML"),
    ],
)
def test_mistakes_in_the_file_are_named(line: str, told: str) -> None:
    """With the file, the table and the key."""
    with pytest.raises(UsageError, match=f"house.toml: {told}"):
        parse("--dish", "soup", "--config", write(f"[oven]\n{line}\n"))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"heat = 200", r"heat stands outside of a table; move it below \[oven\]"),
        (b"oven = 200", r"oven must be a table"),
        (b"[oven]\ntray = '\xff'", "is no TOML"),
    ],
)
def test_mistakes_around_tables_are_named(data: bytes, told: str) -> None:
    """What has no table, what should be one, and what is no text."""
    Path("house.toml").write_bytes(data)
    with pytest.raises(UsageError, match=f"house.toml: {told}"):
        parse("--dish", "soup", "--config", "house.toml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A name that cannot be read is refused with the reason."""
    with pytest.raises(UsageError, match=r"cannot be read .*directory"):
        parse("--dish", "soup", "--config", str(tmp_path))


def test_help_tells_of_all_ways(capsys: pytest.CaptureFixture[str]) -> None:
    """Variables, defaults, what is required and the file are all in the help, even when the file is broken."""
    with pytest.raises(SystemExit):
        parse("--config", write("broken"), "--help")
    text = " ".join(capsys.readouterr().out.split())
    for told in (
        "[MVSTYLIZER_HEAT, default 180]",
        "[MVSTYLIZER_TRAY]",
        "[MVSTYLIZER_DISH, required]",
        "[MVSTYLIZER_LIGHT, default off]",
        "[MVSTYLIZER_TIMER, default on]",
        "settings below [oven]",
        "[MVSTYLIZER_CONFIG]",
    ):
        assert told in text


def test_settings_can_be_listed() -> None:
    """Flag, variable, key, default and whether it must be given, for documents to be compared with."""
    main = Parser(prog="house")
    commands = main.add_subparsers(parser_class=Parser)
    oven = add_command(commands, "oven", "Bakes.", "house oven", lambda options: None)
    oven.setting("--door-gap", "millimetres", type=float, default=0.5)
    oven.setting("--dish", "what", required=True)
    told = [(each.flag, each.variable, each.key, each.default, each.required) for each in oven.settings]
    assert told == [
        ("--door-gap", "MVSTYLIZER_DOOR_GAP", "door-gap", 0.5, False),
        ("--dish", "MVSTYLIZER_DISH", "dish", None, True),
    ]
    assert all(isinstance(each.action, argparse.Action) for each in oven.settings)
