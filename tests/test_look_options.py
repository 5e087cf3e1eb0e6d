"""Which edges are asked, with what, and what they may keep: as flags, in variables, and by default."""

import argparse
import os
import re
from pathlib import Path

import pytest

from mvstylizer.errors import UsageError
from mvstylizer.look_options import add_look, contributor_of, edge_urls, read_look
from mvstylizer.options import Parser


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MVSTYLIZER_")]:
        monkeypatch.delenv(name)


def parser() -> Parser:
    made = Parser(prog="mvstylizer stylize")
    add_look(made)
    return made


def parsed(*arguments: str) -> argparse.Namespace:
    return parser().parse_args(["--style", "warm-light", *arguments])


@pytest.mark.parametrize(
    ("arguments", "urls"),
    [
        ([], []),
        (["--edge", "http://a"], ["http://a"]),
        (["--edge", "http://a", "--edge", "http://b:80"], ["http://a", "http://b:80"]),
        (["--edge", "http://a,http://b", "--edge", " http://c ,, http://d"], [f"http://{name}" for name in "abcd"]),
        (["--edge", ","], []),
    ],
)
def test_edges_by_flag(arguments: list[str], urls: list[str]) -> None:
    """Edges come in the order given, one a flag or several."""
    assert edge_urls(parsed(*arguments)) == urls


def test_edges_by_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """One variable holds several edges; a flag takes the place of all of them."""
    monkeypatch.setenv("MVSTYLIZER_EDGE", "http://a, http://b\thttp://c")
    assert edge_urls(parsed()) == ["http://a", "http://b", "http://c"]
    assert edge_urls(parsed("--edge", "http://d")) == ["http://d"]


def test_the_token_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the variable is used, and does not stand in the help."""
    monkeypatch.setenv("MVSTYLIZER_EDGE_TOKEN", "s3cret")
    assert parsed().edge_token == "s3cret"
    assert "s3cret" not in parser().format_help()


def test_nothing_is_contributed_unasked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither by default nor in a dry run are key frames offered, and no id is even made."""
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    assert contributor_of(parsed("--edge", "http://a")) is None
    dry = parsed("--edge", "http://a", "--contribute")
    dry.dry_run = True
    assert contributor_of(dry) is None
    assert list(tmp_path.iterdir()) == []


def test_contributing_gives_an_id(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who contributes does so under one id, made once, of nothing but hex digits."""
    pytest.importorskip("mvstylizer.contributor")
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    options = parsed("--edge", "http://a", "--contribute")
    first = contributor_of(options)
    assert re.fullmatch(r"[0-9a-f]{32}", first or "") and contributor_of(options) == first


def test_contributing_needs_an_edge() -> None:
    """Without an edge there is nobody to contribute to."""
    with pytest.raises(UsageError, match="--edge"):
        read_look(parsed("--contribute"))
    read_look(parsed("--contribute", "--edge", "http://a"))
