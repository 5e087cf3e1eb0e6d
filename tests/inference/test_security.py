"""Tokens and TLS: nobody is in who should not be."""

import re
import ssl
from pathlib import Path

import aiohttp
import pytest
import trustme

from inference.access_log import LOG
from inference.route import Access
from inference.routes import CLIENT_ROUTES
from inference.security import Security, is_loopback, read_token, tls_context
from inference.serve import listening
from inference.stylizer import Stylizer
from mvstylizer.errors import InputError, UsageError

TOKEN = "correct-horse-battery"
WRONG = [
    {},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer "},
    {"Authorization": f"Bearer {TOKEN[:-1]}"},
    {"Authorization": f"Bearer {TOKEN}x"},
    {"Authorization": f"Basic {TOKEN}"},
    {"Authorization": TOKEN},
    {"Authorization": "Bearer \udce4\udcf6"},
]


@pytest.mark.parametrize("headers", WRONG)
async def test_who_has_no_token_gets_nothing(stylizer: Stylizer, headers: dict[str, str]) -> None:
    """Every route that is not open answers 401 and says how to ask."""
    async with listening(stylizer, security=Security(TOKEN)) as (url, _), aiohttp.ClientSession(url) as http:
        for route in CLIENT_ROUTES:
            if route.access is Access.OPEN:
                continue
            async with http.request(route.method, re.sub(r"{\w+}", "x", route.path), headers=headers) as reply:
                assert (reply.status, (await reply.json())["code"]) == (401, "unauthorized"), route.path
                assert reply.headers["WWW-Authenticate"] == "Bearer"


async def test_the_token_opens_and_health_needs_none(stylizer: Stylizer) -> None:
    """Load balancers need no secret, everybody else the right one; the word Bearer may be in any case."""
    async with listening(stylizer, security=Security(TOKEN)) as (url, _), aiohttp.ClientSession(url) as http:
        async with http.get("/v2/health/ready") as reply:
            assert reply.status == 200
        for scheme in ("Bearer", "bearer"):
            async with http.get("/v1/styles", headers={"Authorization": f"{scheme} {TOKEN}"}) as reply:
                assert reply.status == 200


async def test_secrets_never_reach_the_log(stylizer: Stylizer, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a right nor a wrong token, nor a query, stands in any line of the log."""
    LOG.addHandler(caplog.handler)
    try:
        with caplog.at_level("DEBUG"):
            async with listening(stylizer, security=Security(TOKEN)) as (url, _), aiohttp.ClientSession(url) as http:
                for token in (TOKEN, "wrong-and-secret-too"):
                    headers = {"Authorization": f"Bearer {token}"}
                    await (await http.get("/v1/styles?style=in-the-query", headers=headers)).read()
        said = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    finally:
        LOG.removeHandler(caplog.handler)
    assert "/v1/styles" in said
    assert not [secret for secret in (TOKEN, "wrong-and-secret-too", "in-the-query") if secret in said]


async def test_without_a_token_only_this_machine_is_listened_to(stylizer: Stylizer) -> None:
    """An edge that everybody could use by mistake does not start."""
    with pytest.raises(UsageError, match="--token-file"):
        async with listening(stylizer, "0.0.0.0"):
            pass
    async with listening(stylizer, "0.0.0.0", security=Security(TOKEN)) as (url, _):
        assert url.startswith("http://0.0.0.0:")


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:80", 200), ("[::1]:8080", 200), ("localhost", 200), ("LOCALHOST:8080", 200), ("192.168.1.7", 200),
     ("evil.example", 403), ("evil.example:8080", 403), ("localhost.evil.example", 403), ("127.0.0.1.nip.io", 403)],
)  # fmt: skip
async def test_a_web_page_cannot_rename_itself_into_the_edge(stylizer: Stylizer, host: str, status: int) -> None:
    """DNS rebinding: without a token, an edge answers to no name but localhost; behind a proxy names are its matter."""
    for security, expected in ((Security(), status), (Security(behind_proxy=True), 200)):
        async with (
            listening(stylizer, security=security) as (url, _),
            aiohttp.ClientSession(url) as http,
            http.get("/v1/styles", headers={"Host": host}) as reply,
        ):
            assert reply.status == expected


async def test_tls(stylizer: Stylizer, tmp_path: Path) -> None:
    """With a certificate the edge speaks TLS, and nothing older than 1.2."""
    authority = trustme.CA()
    pem = tmp_path / "edge.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    context = tls_context(pem, None)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    async with listening(stylizer, security=Security(tls=context)) as (url, _), aiohttp.ClientSession(url) as http:
        assert url.startswith("https://")
        async with http.get("/v2/health/live", ssl=trusting) as reply:
            assert reply.status == 200
        with pytest.raises(aiohttp.ClientSSLError):
            await http.get("/v2/health/live")


def test_what_is_no_certificate_is_refused(tmp_path: Path) -> None:
    """A missing, a broken and a mismatched file each say so."""
    nothing, broken = tmp_path / "none.pem", tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    one, other = (trustme.CA().issue_cert("localhost") for _ in range(2))
    one.cert_chain_pems[0].write_to_path(str(tmp_path / "one.pem"))
    other.private_key_pem.write_to_path(str(tmp_path / "other.key"))
    for certificate, key in ((nothing, None), (broken, None), (tmp_path / "one.pem", tmp_path / "other.key")):
        with pytest.raises(InputError, match="--certificate"):
            tls_context(certificate, key)


@pytest.mark.parametrize(
    "text", ["", "short\n", "two words that are long\n", "umläute-sind-keine-ascii\n", "\x00" * 30]
)
def test_what_is_no_token_is_refused(tmp_path: Path, text: str) -> None:
    """A token that could be guessed, or not be sent in a header, is no token."""
    path = tmp_path / "token"
    path.write_text(text)
    with pytest.raises(UsageError, match="at least 16"):
        read_token(path)


def test_a_token_is_the_first_line(tmp_path: Path) -> None:
    """Whether or not it ends in a newline; a missing file says how to make one."""
    path = tmp_path / "token"
    for text in (TOKEN, f"{TOKEN}\n", f"{TOKEN}\r\n# comment\n"):
        path.write_text(text)
        assert read_token(path) == TOKEN
    with pytest.raises(InputError, match="token_urlsafe"):
        read_token(tmp_path / "none")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("192.168.1.2", False), ("example.org", False), ("localhost.example.org", False), ("", False)],
)  # fmt: skip
def test_loopback(host: str, loopback: bool) -> None:
    """What only this machine can reach."""
    assert is_loopback(host) is loopback
