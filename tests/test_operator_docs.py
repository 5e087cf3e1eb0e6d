"""What operators read is compared with the code, so that neither goes on without the other."""

import re
import shlex
from pathlib import Path

import pytest

from mvstylizer.cli import _parser
from mvstylizer.options import Parser

ROOT = Path(__file__).parent.parent
OPERATOR, THREATS = ROOT / "docs/operator.md", ROOT / "THREAT_MODEL.md"
_ROW = re.compile(r"\| `(--[a-z-]+)` \| `(\w+)` \| `([a-z-]+)` \| (.*?) \| .+ \|")


def serve_parser() -> Parser:
    """The parser of ``mvstylizer serve``."""
    commands = next(action for action in _parser()._actions if isinstance(action.choices, dict))
    found = dict(commands.choices or {})["serve"]
    if not isinstance(found, Parser):
        raise TypeError(f"serve has a parser of {type(found)}")
    return found


def default_as_told(default: object) -> str:
    """A default as the table writes it."""
    if isinstance(default, bool):
        return "on" if default else "off"
    return "—" if default is None else str(default)


def links(document: Path) -> list[str]:
    """Targets of a document's links to other files, without fragments."""
    return [each for each in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text("utf-8")) if "://" not in each]


def test_every_setting_of_serve_is_in_the_table() -> None:
    """With its variable, key and default, in the order of the help; and the table has no other."""
    rows = [match.groups() for match in map(_ROW.fullmatch, OPERATOR.read_text("utf-8").splitlines()) if match]
    code = [(each.flag, each.variable, each.key, default_as_told(each.default)) for each in serve_parser().settings]
    assert rows == code


def test_every_route_is_in_the_table() -> None:
    """Of clients and of admins; and the table has no other."""
    from inference.routes import ROUTES

    told = re.findall(r"`(GET|PUT|POST|DELETE) (/[^`?]*)[^`]*`", OPERATOR.read_text("utf-8").partition("## HTTP")[2])
    assert {(route.method, route.path) for route in ROUTES} == set(told)


async def test_every_metric_is_in_the_table(tmp_path: Path) -> None:
    """As it is called before Prometheus adds its endings; and the table has no other."""
    from inference.contributions import Collect
    from inference.data_dir import DataDir
    from inference.serve import listening
    from tests.inference.conftest import StandIn

    told = re.findall(r"^\| `(mvstylizer_\w+)` \|", OPERATOR.read_text("utf-8"), re.MULTILINE)
    async with listening(StandIn(), data=DataDir(tmp_path), collect=Collect.OPT_IN) as (_, edge):
        assert set(edge.metrics.names()) == set(told)


def test_commands_in_the_document_can_be_given() -> None:
    """Every command line of ours in a block is one that the parser takes."""
    blocks = re.findall(r"^```\n(.*?)^```", OPERATOR.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("mvstylizer ")]
    assert len(lines) >= 3
    for line in lines:
        _parser().parse_args(shlex.split(line, comments=True)[1:])


def test_limits_that_are_quoted_are_the_edges_own() -> None:
    """Sizes and times in the document are those of the code."""
    from inference.limits import MEBIBYTE, Limits

    limits, text = Limits(), " ".join(OPERATOR.read_text("utf-8").split())
    assert f"client_max_body_size {limits.max_style_bytes // MEBIBYTE}m;" in text
    assert f"key frames {limits.max_frame_bytes // MEBIBYTE} MiB" in text
    assert f"all of it within {limits.body_seconds:g} s" in text
    assert f"style codes (no photos) of the last {limits.max_styles} styles" in text
    assert limits.reply_seconds == 120 and "replies of the last two minutes" in text
    assert limits.max_style_parts == 8 and "a blend of up to eight" in text


@pytest.mark.parametrize("document", [OPERATOR, THREATS], ids=lambda path: str(path.name))
def test_what_the_documents_point_to_exists(document: Path) -> None:
    """Links, and files of code or tests that are named."""
    assert [each for each in links(document) if not (document.parent / each).exists()] == []
    named = re.findall(r"`([\w./-]+/[\w.-]+\.(?:py|toml|yaml|service))`", document.read_text("utf-8"))
    assert named and [each for each in named if not (ROOT / each).exists() and not each.startswith("/")] == []
