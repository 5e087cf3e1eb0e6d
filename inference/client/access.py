"""Who asks an edge, and by what an edge is known to be the one that was meant: token, certificates, contributor."""

import re
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from mvstylizer.errors import UsageError

_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_CONTRIBUTOR = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Access:
    """``token`` proves the right to ask, ``ca`` is a PEM file of the certificates to trust in place of the system's,
    ``contributor`` (32 hex digits) offers key frames for training under that id.

    Raises UsageError for what cannot be a token or a contributor's id.
    """

    token: str | None = field(default=None, repr=False)
    ca: Path | None = None
    contributor: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.token is not None and _TOKEN.fullmatch(self.token) is None:
            raise UsageError("--edge-token is no token: it must be visible ASCII characters, without spaces")
        if self.contributor is not None and _CONTRIBUTOR.fullmatch(self.contributor) is None:
            raise UsageError("a contributor's id is 32 lower-case hex digits")

    def headers(self, url: str) -> dict[str, str]:
        """Those of every request to ``url``; raises UsageError rather than send the token where others can read it."""
        if self.token is None:
            return {}
        parts = urlsplit(url)
        if parts.scheme != "https" and not _is_this_machine(parts.hostname or ""):
            raise UsageError(
                f"{url} would get the edge's token unprotected, for all on the way to read; "
                "use an https:// address, or a tunnel to this machine"
            )
        return {"Authorization": f"Bearer {self.token}"}

    def context(self, url: str) -> ssl.SSLContext | None:
        """How a TLS connection to ``url`` is verified, None for plain http.

        Raises UsageError if the file of certificates cannot be read.
        """
        if urlsplit(url).scheme != "https":
            return None
        try:
            return ssl.create_default_context(cafile=self.ca)
        except (OSError, ValueError) as error:  # an SSLError is an OSError, whose strerror names OpenSSL's sources
            reason = "it holds no certificate in PEM form" if isinstance(error, ssl.SSLError) else error
            raise UsageError(f"--edge-ca {self.ca}: cannot be used ({reason}); name the PEM file of a CA") from error


def check_url(url: str) -> str:
    """An edge's URL without a slash at its end; raises UsageError if it is no plain http or https address."""
    parts = _split(url)
    if parts is None or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(f"{url!r} is no address of an edge; give one such as http://127.0.0.1:8080")
    return url.rstrip("/")


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if sound else None


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
