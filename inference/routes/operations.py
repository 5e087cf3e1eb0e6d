"""What operators and programs read about the edge: its metrics, and the document of its routes."""

from aiohttp import web

from inference.edge import EDGE
from inference.openapi import DOCUMENT, JSON, operation
from inference.route import Access, Route


async def metrics(request: web.Request) -> web.Response:
    """Everything that is counted, in Prometheus' text format."""
    edge = request.app[EDGE]
    body = await edge.off_loop(edge.metrics.exposition)  # asks the system for the process's memory and files
    return web.Response(body=body, headers={"Content-Type": edge.metrics.content_type})


async def openapi(request: web.Request) -> web.Response:
    """The OpenAPI document of this edge."""
    return web.json_response(request.app[DOCUMENT])


ROUTES = (
    Route(
        "GET",
        "/metrics",
        metrics,
        Access.CLIENT,
        operation("Metrics for Prometheus", {200: {"text/plain": {"schema": {"type": "string"}}}}),
    ),
    Route(
        "GET",
        "/openapi.json",
        openapi,
        Access.OPEN,
        operation("This document", {200: {JSON: {"schema": {"type": "object"}}}}),
    ),
)
