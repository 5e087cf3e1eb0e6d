"""Tokens, and certificates that are real ones of a CA made for the test."""

import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import trustme
from aiohttp import web
from numpy.typing import NDArray

from inference.client import EdgeClient, EdgePool, EdgeStylizer
from inference.client.access import Access
from inference.security import Security
from inference.serve import listening
from inference.stylizer import Stylizer
from mvstylizer.errors import EdgeError, UsageError
from tests.inference.client.conftest import ScriptedEdge

TOKEN = "s3cret-token.of_the=edge+/"


@asynccontextmanager
async def _guarded(context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that tells the release to whom shows the token, over TLS if there is a context."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"error": "this edge asks for a token", "code": "unauthorized"}, status=401)
        return web.json_response({"version": "v1", "sha256": "5a"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> Path:
    """The file that makes the authority trusted."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


def _context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_a_token_opens(caplog: pytest.LogCaptureFixture) -> None:
    """An edge that asks for a token lets in who gives it, and nothing about it is logged."""
    with caplog.at_level(logging.DEBUG):
        async with _guarded() as url, EdgeClient(url, token=TOKEN) as client:
            assert await client.release() == ("v1", "5a")
    assert TOKEN not in caplog.text and TOKEN not in repr(Access(TOKEN))


@pytest.mark.parametrize(("token", "advice"), [(None, "wants a token; give"), ("wrong", "does not accept the token")])
async def test_without_the_token(token: str | None, advice: str) -> None:
    """Without a token, or with another, the error says at once how to give it, and does not repeat what was given."""
    async with _guarded() as url, EdgeClient(url, token=token) as client:
        with pytest.raises(EdgeError, match=rf"{advice}.*--edge-token") as caught:
            await client.release()
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://edge.example:8080", "http://192.168.1.7", "http://localhost.example"])
def test_no_token_in_the_clear(url: str) -> None:
    """A token is never sent unprotected to another machine, whichever way the client is made."""
    for make in (EdgeClient, EdgeStylizer, lambda url, token: EdgePool([url], token=token)):
        with pytest.raises(UsageError, match=rf"{url}.*unprotected.*https"):
            make(url, token=TOKEN)
    EdgeClient(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost", "https://edge.example"]
)
def test_a_token_that_is_protected(url: str) -> None:
    """To this machine, and over TLS, a token may go."""
    EdgeClient(url, token=TOKEN)


@pytest.mark.parametrize("token", ["", "two words", "line\r\nX-Evil: 1", "ümlaut"])
def test_what_is_no_token(token: str) -> None:
    """What cannot stand in a header is a UsageError that keeps it to itself."""
    with pytest.raises(UsageError, match="--edge-token is no token") as caught:
        EdgeClient("http://127.0.0.1", token=token)
    assert not token or token not in str(caught.value)


async def test_tls_with_our_own_authority(authority: trustme.CA, ca: Path) -> None:
    """Over TLS, certificates of the CA that is named are trusted."""
    async with _guarded(_context(authority)) as url, EdgeClient(url, token=TOKEN, ca=ca) as client:
        assert (await client.release()).version == "v1"


async def test_a_real_edge_behind_both(
    authority: trustme.CA, ca: Path, stylizer: Stylizer, frame: NDArray[np.uint8], photo_png: bytes
) -> None:
    """A whole key frame goes through an edge that asks for a token and speaks TLS, for who has both."""
    security = Security(token=TOKEN, tls=_context(authority))
    async with listening(stylizer, security=security) as (url, _):
        assert url.startswith("https://")
        async with EdgePool([url], token=TOKEN, ca=ca) as pool:
            assert (await pool.stylize(frame, await pool.put_style(photo_png))).shape == frame.shape
        async with EdgePool([url], ca=ca) as pool:
            with pytest.raises(EdgeError, match="wants a token"):
                await pool.put_style(photo_png)


@pytest.mark.parametrize("fault", ["unknown CA", "other CA", "other host"])
async def test_tls_that_cannot_be_trusted(authority: trustme.CA, ca: Path, tmp_path: Path, fault: str) -> None:
    """A certificate of another authority, or for another host, is refused at once with advice, and gets no token."""
    context = _context(authority, "edge.example" if fault == "other host" else "127.0.0.1")
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    trusted = {"unknown CA": None, "other CA": other, "other host": ca}[fault]
    async with _guarded(context) as url, EdgeClient(url, token=TOKEN, ca=trusted) as client:
        with pytest.raises(EdgeError, match=rf"{url} cannot be trusted \(.+\).*--edge-ca") as caught:
            await client.release()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, "no certificate", ""])
def test_a_file_that_holds_no_certificates(tmp_path: Path, content: str | None) -> None:
    """A file of certificates that is not there or holds none is named before anything is asked."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=r"--edge-ca .*ca\.pem"):
        EdgeClient("https://127.0.0.1", ca=path)


async def test_plain_http_where_tls_is(authority: trustme.CA) -> None:
    """Speaking plain http to a TLS port, and the other way round, is an EdgeError."""
    async with _guarded(_context(authority)) as url, EdgeClient(url.replace("https", "http"), patience=0) as client:
        with pytest.raises(EdgeError):
            await client.release()
    async with _guarded() as url, EdgeClient(url.replace("http", "https"), patience=0) as client:
        with pytest.raises(EdgeError):
            await client.release()


async def test_a_pool_goes_on_without_an_edge_that_lets_nobody_in(scripted: Callable[[], ScriptedEdge]) -> None:
    """Of several edges, one that asks for another token is left out, and the user is told."""
    notes = list[str]()
    async with (
        scripted() as open_edge,
        _guarded() as guarded,
        EdgePool([guarded, open_edge.url], note=notes.append) as pool,
    ):
        assert (await pool.release()).version == "v1"
    assert len(notes) == 1 and guarded in notes[0] and "--edge-token" in notes[0] and "without it" in notes[0]
