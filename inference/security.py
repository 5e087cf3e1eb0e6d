"""Who may ask an edge for what: bearer tokens, compared in constant time, and TLS."""

import hmac
import ipaddress
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from inference.errors import ApiError
from inference.route import Access
from mvstylizer.errors import InputError, UsageError

MIN_TOKEN = 16
"""Characters of the shortest token that is accepted: fewer could be guessed."""


@dataclass(frozen=True)
class Security:
    """How one edge is protected."""

    token: str | None = None
    """What clients must show; None lets in everybody who reaches the edge."""
    admin_token: str | None = None
    """What admin routes ask for; None for no admin routes at all."""
    tls: ssl.SSLContext | None = None
    behind_proxy: bool = False
    """Whether a proxy that the operator trusts passes requests on and says who asks."""

    def check(self, request: web.Request, access: Access) -> None:
        """Raise ApiError 401 unless the request shows the token that ``access`` asks for, 403 for a wrong Host."""
        if access is Access.OPEN:
            return
        if self.token is None and not self.behind_proxy and not _is_address(request.host):
            # A web page that its own name server points at this machine (DNS rebinding) gives itself away by its name.
            text = "an edge without a token answers to addresses and to localhost only, not to names"
            raise ApiError(403, "host", text, close=True)
        expected = self.admin_token if access is Access.ADMIN else self.token
        if expected is None:
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        same = hmac.compare_digest(given.encode(errors="surrogateescape"), expected.encode())
        if scheme.lower() != "bearer" or not same:
            text = "this edge asks for a token: send it as 'Authorization: Bearer TOKEN'"
            raise ApiError(401, "unauthorized", text, close=True, headers={"WWW-Authenticate": "Bearer"})


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(32)


def read_token(path: Path) -> str:
    """The token in a file, whose first line it is.

    Raises InputError if the file cannot be read, UsageError if what stands there is no token.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no token can be read there ({error}); write one with: {_MAKE} > {path}") from error
    token = text.partition("\n")[0].strip()
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            f"{path}: a token is one line of at least {MIN_TOKEN} ASCII characters without spaces; make one with: "
            f"{_MAKE} > {path}"
        )
    return token


def tls_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """TLS for a server with a PEM certificate (chain) and its key, which may stand in the same file.

    Raises InputError if they cannot be read or do not belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        files = f"{certificate}" if key is None else f"{certificate} and {key}"
        raise InputError(
            f"{files}: no certificate with its key ({error}); give PEM files to --certificate and --key"
        ) from error
    return context


def _is_address(host: str) -> bool:
    """Whether a Host header, with or without a port, is an IP address or localhost."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.lower() == "localhost"
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_MAKE = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
