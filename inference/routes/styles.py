"""Styles: photos become known under the sha256 of their bytes, so that each travels once."""

import hashlib

from aiohttp import web

from inference import codec
from inference.edge import EDGE
from inference.errors import ApiError
from inference.openapi import ID_FORM, json_object, operation, path_id, pictures
from inference.parameters import DEADLINE, deadline_of
from inference.route import Access, Route
from inference.styles import is_style_id
from inference.timing import server_timing


async def list_styles(request: web.Request) -> web.Response:
    """What can be asked for without sending a photo: ids of styles, and names of the release's presets."""
    edge = request.app[EDGE]
    stylizer = edge.stylizer
    return web.json_response({"styles": edge.styles.ids(stylizer), "presets": list(stylizer.presets)})


async def put_style(request: web.Request) -> web.Response:
    """Make a style known: the body is the photo, the id its sha256. 201 if it is new, 200 if known before."""
    edge, style, deadline = request.app[EDGE], request.match_info["id"], deadline_of(request)
    stylizer = edge.stylizer
    if not is_style_id(style):
        raise ApiError(422, "style-id", "a style's id is the lower-case hex sha256 of its photo's bytes")
    async with edge.bodies.picture(request, edge.limits.max_style_bytes) as data:
        if await edge.off_loop(_sha256, data) != style:
            raise ApiError(422, "style-id", "the id is not the sha256 of the body that came with it")
        if edge.styles.get(style, stylizer) is not None:
            return web.json_response({"id": style}, headers={"Model-Version": stylizer.version})
        await edge.off_loop(codec.check_header, data, edge.limits.max_style_pixels)
        # Decoded in the worker too: of all waiting photos only one is ever in memory with all its pixels.
        done = await edge.run(
            request,
            lambda: stylizer.encode_style(codec.decode(data, edge.limits.max_style_pixels)),
            deadline,
            typical=False,
        )
    edge.styles.put(style, done.value, stylizer)
    headers = {
        "Model-Version": stylizer.version,
        "Server-Timing": server_timing(queue=done.queued, infer=done.took),
    }
    return web.json_response({"id": style}, status=201, headers=headers)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


_ID = {"type": "string", "pattern": ID_FORM}
_TEXTS = {"type": "array", "items": {"type": "string"}}
ROUTES = (
    Route(
        "GET",
        "/v1/styles",
        list_styles,
        Access.CLIENT,
        operation("Styles and presets at hand", {200: json_object(styles=_TEXTS, presets=_TEXTS)}),
    ),
    Route(
        "PUT",
        "/v1/styles/{id}",
        put_style,
        Access.CLIENT,
        operation(
            "Make a style known by its photo",
            {200: json_object(id=_ID), 201: json_object(id=_ID)},
            parameters=[path_id("id", ID_FORM, "SHA-256 of the photo's bytes, lower-case hex"), DEADLINE],
            body=pictures(),
            errors=[408, 413, 415, 422],
        ),
    ),
)
