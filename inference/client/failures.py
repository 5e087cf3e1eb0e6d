"""What can go wrong between the device and an edge, by what helps: another time, another edge, or nothing."""

from mvstylizer.errors import EdgeError


class Unavailable(EdgeError):
    """The edge is away or has no time; it may be back, after ``retry_after`` seconds if it said so."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Garbage(EdgeError):
    """An answer that no sound edge gives: a broken line, or no edge at all."""


class Refused(EdgeError):
    """The edge understood and does not want to; asking it the same again is of no use."""


def garbage(url: str, what: str) -> Garbage:
    """The error for an answer that makes no sense."""
    return Garbage(
        f"the edge at {url} answers garbage ({what}); check that the address is that of an edge, "
        "and that it and this device have the same version of mvstylizer"
    )
