"""What a route is: where it lies, who may ask, what answers, and what the OpenAPI document says of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from aiohttp.typedefs import Handler


class Access(Enum):
    """Who may ask."""

    OPEN = "open"
    """Everybody who reaches the edge: whether it lives and is ready."""
    CLIENT = "client"
    """Who has the edge's token, if it has one."""
    ADMIN = "admin"
    """Who has the admin token, on the admin listener."""


@dataclass(frozen=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    handler: Handler
    access: Access
    operation: Mapping[str, Any]
    """The OpenAPI operation, as ``inference.openapi.operation`` makes it."""
