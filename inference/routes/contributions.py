"""What an edge keeps of a contributor, counted and deleted by whoever knows the contributor's id."""

from aiohttp import web

from inference.contributions import CONTRIBUTOR_FORM, checked_contributor
from inference.edge import EDGE
from inference.openapi import json_object, operation, path_id
from inference.route import Access, Route


async def count(request: web.Request) -> web.Response:
    """How many frames there are of a contributor, and their bytes; an id that is not known has none."""
    contributor = checked_contributor(request.match_info["id"])
    frames, size = await request.app[EDGE].contributions.count(contributor)
    return web.json_response({"frames": frames, "bytes": size})


async def delete(request: web.Request) -> web.Response:
    """Delete all frames of a contributor."""
    contributor = checked_contributor(request.match_info["id"])
    return web.json_response({"deleted": await request.app[EDGE].contributions.delete(contributor)})


_COUNT = {"type": "integer", "minimum": 0}
_ID = path_id("id", CONTRIBUTOR_FORM, "the contributor's id, as in the Contributor header of its key frames")
ROUTES = (
    Route(
        "GET",
        "/v1/contributions/{id}",
        count,
        Access.CLIENT,
        operation("What is kept of a contributor", {200: json_object(frames=_COUNT, bytes=_COUNT)}, parameters=[_ID]),
    ),
    Route(
        "DELETE",
        "/v1/contributions/{id}",
        delete,
        Access.CLIENT,
        operation(
            "Delete all that is kept of a contributor",
            {200: json_object(deleted=_COUNT)},
            parameters=[_ID],
            errors=[404],
        ),
    ),
)
