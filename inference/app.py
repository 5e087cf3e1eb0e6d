"""Composes the edge's web application out of its parts."""

from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler

from inference.edge import EDGE, Edge
from inference.errors import REQUEST_ID, ApiError, one_error_shape
from inference.limits import Limits
from inference.routes import add_routes
from inference.stylizer import Stylizer

_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def make_app(stylizer: Stylizer, limits: Limits | None = None) -> web.Application:
    """The edge as an aiohttp application; its threads start and end with it."""

    async def edge(app: web.Application) -> AsyncIterator[None]:
        app[EDGE] = Edge(stylizer, limits or Limits())
        yield
        app[EDGE].close()

    app = web.Application(middlewares=[one_error_shape, _drain])
    app.cleanup_ctx.append(edge)
    app.on_response_prepare.append(_add_headers)
    add_routes(app)
    return app


@web.middleware
async def _drain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count what is in flight, and take no more work once the edge is to end."""
    if request.method not in ("PUT", "POST"):
        return await handler(request)
    edge = request.app[EDGE]
    if edge.draining:
        raise ApiError(503, "draining", "the edge is shutting down", retry_after=1, close=True)
    edge.in_flight += 1
    try:
        return await handler(request)
    finally:
        edge.in_flight -= 1


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "mvstylizer"
    if REQUEST_ID in request:
        response.headers["X-Request-Id"] = request[REQUEST_ID]
