"""The log: a line for each request, in one of two forms."""

import asyncio
import json
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import aiohttp
import pytest

from inference import access_log
from inference.stylizer import Stylizer
from tests.inference.conftest import edge_in_a_thread


def _get(url: str, **headers: str) -> str | None:
    """Ask, and give the id that the reply carries; whatever its status is."""
    try:
        with urlopen(Request(url, headers=headers)) as reply:
            return str(reply.headers["X-Request-Id"])
    except HTTPError as error:
        error.close()
        return None


def test_json_lines(stylizer: Stylizer, capsys: pytest.CaptureFixture[str]) -> None:
    """Each request is one JSON object with the id that the reply carries."""
    with access_log.written("json"), edge_in_a_thread(stylizer) as url:
        assert _get(f"{url}/v1/styles", **{"X-Request-Id": "mine-1"}) == "mine-1"
    (line,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (line["event"], line["level"], line["request_id"]) == ("request", "info", "mine-1")
    assert (line["method"], line["route"], line["status"]) == ("GET", "/v1/styles", 200)
    assert line["ms"] >= 0
    assert line["time"].endswith("Z")
    assert "127.0.0.1" not in json.dumps(line)


def test_text_lines_and_none(stylizer: Stylizer, capsys: pytest.CaptureFixture[str]) -> None:
    """People read ``name=value``; who wants no log gets none for requests."""
    with edge_in_a_thread(stylizer) as url:
        with access_log.written("text"):
            _get(f"{url}/nowhere")
        (line,) = capsys.readouterr().err.splitlines()
        assert "request request_id=" in line
        assert "route=unknown status=404 code=not-found" in line
        with access_log.written("none"):
            _get(f"{url}/nowhere")
        assert capsys.readouterr().err == ""


def test_exceptions_and_odd_values_stay_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback and what JSON does not know are texts in the object, not lines of their own."""
    with access_log.written("json"):
        access_log.request_answered(path=Path("x"))
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            access_log.LOG.exception("it\nbroke")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert first["path"] == "x"
    assert second["event"] == "it\nbroke"
    assert "ZeroDivisionError" in second["exception"]


@pytest.mark.failure("F24")
async def test_a_log_that_nobody_reads_holds_nobody() -> None:
    """The pipe behind standard error is full: requests are answered all the same."""
    script = "import sys; from mvstylizer.cli import main; sys.exit(main(sys.argv[1:]))"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        "serve",
        "--port",
        "0",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).split()[4].decode()
        async with aiohttp.ClientSession(url) as http:
            for _ in range(1000):  # of more than 150 bytes each: twice what a pipe holds
                async with asyncio.timeout(5), http.get("/v2/health/live") as reply:
                    assert reply.status == 200
    finally:
        process.kill()
        await process.communicate()
