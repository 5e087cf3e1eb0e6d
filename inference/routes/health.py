"""Health and metadata, in the form of the Open Inference Protocol v2."""

import dataclasses

from aiohttp import web

from inference import MODEL
from inference.edge import EDGE
from inference.errors import ApiError, error_body
from inference.openapi import JSON, json_object, operation, path_id
from inference.route import Access, Route
from mvstylizer import __version__

_TEXT, _BOOLEAN, _INTEGER = ({"type": kind} for kind in ("string", "boolean", "integer"))


async def live(request: web.Request) -> web.Response:
    """200 as long as the process answers at all."""
    return web.json_response({"live": True})


async def ready(request: web.Request) -> web.Response:
    """200 if work is welcome, 503 with the reason if not."""
    reason = request.app[EDGE].not_ready()
    if reason is None:
        return web.json_response({"ready": True})
    body = error_body(request, reason.code, reason.text)
    return web.json_response({"ready": False, "reason": reason.code, **body}, status=503, headers={"Retry-After": "1"})


async def server_metadata(request: web.Request) -> web.Response:
    """Name and version of the server."""
    return web.json_response({"name": "mvstylizer", "version": __version__, "extensions": ["model_repository"]})


async def model_metadata(request: web.Request) -> web.Response:
    """The release that runs, what goes in and out, and the limits that requests must keep."""
    edge = request.app[EDGE]
    stylizer = edge.stylizer
    return web.json_response(
        {
            "name": MODEL,
            "version": stylizer.version,
            "versions": [stylizer.version],
            "platform": "onnxruntime_onnx",
            "sha256": stylizer.sha256,
            "code_size": stylizer.code_size,
            "inputs": [{"name": "frame", "datatype": "UINT8", "shape": [-1, -1, 3]}],
            "outputs": [{"name": "stylized", "datatype": "UINT8", "shape": [-1, -1, 3]}],
            "limits": dataclasses.asdict(edge.limits),
        }
    )


async def version_ready(request: web.Request) -> web.Response:
    """200 if it is this version that runs."""
    version = request.match_info["version"]
    if version != request.app[EDGE].stylizer.version:
        raise ApiError(404, "unknown-version", "another version runs; GET /v2/models/stylizer tells which")
    return web.json_response({"name": MODEL, "version": version, "ready": True})


_READY = {JSON: {"schema": {"type": "object", "required": ["ready"], "properties": {"ready": _BOOLEAN}}}}
ROUTES = (
    Route(
        "GET",
        "/v2/health/live",
        live,
        Access.OPEN,
        operation("Whether the process answers", {200: json_object(live=_BOOLEAN)}),
    ),
    Route(
        "GET",
        "/v2/health/ready",
        ready,
        Access.OPEN,
        operation("Whether work is welcome", {200: _READY, 503: _READY}),
    ),
    Route(
        "GET",
        "/v2",
        server_metadata,
        Access.OPEN,
        operation(
            "Name and version of the server",
            {200: json_object(name=_TEXT, version=_TEXT, extensions={"type": "array", "items": _TEXT})},
        ),
    ),
    Route(
        "GET",
        f"/v2/models/{MODEL}",
        model_metadata,
        Access.CLIENT,
        operation(
            "The release that runs, and the limits of requests",
            {200: json_object(name=_TEXT, version=_TEXT, sha256=_TEXT, code_size=_INTEGER, limits={"type": "object"})},
        ),
    ),
    Route(
        "GET",
        f"/v2/models/{MODEL}/versions/{{version}}/ready",
        version_ready,
        Access.CLIENT,
        operation(
            "Whether this version runs",
            {200: json_object(name=_TEXT, version=_TEXT, ready=_BOOLEAN)},
            parameters=[path_id("version", "^[^/{}]+$", "such as 2026.11-3")],
            errors=[404],
        ),
    ),
)
