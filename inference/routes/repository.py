"""The model repository, for admins: which releases there are, and which is to run; in the form of Triton's extension.

There is no unload: an edge without a release could not answer anybody.
"""

from typing import Any

from aiohttp import web

from inference import MODEL
from inference.edge import EDGE
from inference.errors import ApiError
from inference.hot_swap import HOT_SWAP, LOADING, READY, UNAVAILABLE
from inference.openapi import JSON, json_object, operation
from inference.route import Access, Route

_MAX_BODY = 64 * 1024


async def index(request: web.Request) -> web.Response:
    """Every release in the store with its state, and why it cannot run if it cannot."""
    return web.json_response([{"name": MODEL, **each} for each in await request.app[HOT_SWAP].index()])


async def load(request: web.Request) -> web.Response:
    """Run another version from now on; answers once it runs."""
    version = _version(await request.app[EDGE].bodies.json(request, _MAX_BODY))
    swapped = await request.app[HOT_SWAP].to(version)
    return web.json_response({"name": MODEL, "version": version, "swapped": swapped})


def _version(body: dict[str, Any]) -> str:
    version = body.get("version")
    if not isinstance(version, str) or len(body) != 1:
        raise ApiError(400, "bad-parameter", 'the body must be {"version": "…"} and nothing else')
    return version


_TEXT = {"type": "string"}
_INDEX = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name", "version", "state", "reason"],
        "properties": {
            "name": _TEXT,
            "version": _TEXT,
            "state": {"type": "string", "enum": [READY, LOADING, UNAVAILABLE]},
            "reason": {"type": "string", "description": "why it cannot run, as far as is known"},
        },
    },
}
_LOAD = {
    JSON: {
        "schema": {
            "type": "object",
            "required": ["version"],
            "properties": {"version": _TEXT},
            "additionalProperties": False,
        }
    }
}
ROUTES = (
    Route(
        "POST",
        "/v2/repository/index",
        index,
        Access.ADMIN,
        operation("Releases in the store", {200: {JSON: {"schema": _INDEX}}}),
    ),
    Route(
        "POST",
        f"/v2/repository/models/{MODEL}/load",
        load,
        Access.ADMIN,
        operation(
            "Run another release from now on",
            {200: json_object(name=_TEXT, version=_TEXT, swapped={"type": "boolean"})},
            body=_LOAD,
            errors=[404, 408, 409, 413, 415, 422, 507],
        ),
    ),
)
