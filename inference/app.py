"""Composes the edge's web applications, for clients and for admins, out of their parts."""

from time import perf_counter

from aiohttp import web
from aiohttp.typedefs import Handler

from inference import access_log
from inference.edge import EDGE, Edge
from inference.errors import ERROR_CODE, REQUEST_ID, expect, one_error_shape
from inference.openapi import DOCUMENT, document
from inference.route import Access, Route

_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_ACCESS = web.AppKey("access", dict[Handler, Access])
_UNKNOWN = "unknown"


def make_app(edge: Edge, routes: tuple[Route, ...]) -> web.Application:
    """These routes of the edge as an aiohttp application."""
    app = web.Application(middlewares=[_observed, one_error_shape, _authorized, _welcome])
    app[EDGE] = edge
    app[_ACCESS] = {route.handler: route.access for route in routes}
    app[DOCUMENT] = document(routes, secured=edge.security.token is not None)
    app.on_response_prepare.append(_add_headers)
    for route in routes:
        app.router.add_route(route.method, route.path, route.handler, expect_handler=expect)
    return app


@web.middleware
async def _observed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count and log the request; clients that leave count as 499, as in nginx."""
    edge, began, status, sent, code = request.app[EDGE], perf_counter(), 499, 0, ""
    try:
        response = await handler(request)
        status, code = response.status, response.get(ERROR_CODE, "")
        if isinstance(response, web.Response) and isinstance(response.body, bytes):
            sent = len(response.body)
        return response
    finally:
        route, took, received = _route_of(request), perf_counter() - began, request.content.total_bytes
        metrics = edge.metrics
        metrics.requests.labels(route, str(status)).inc()
        metrics.seconds.labels(route).observe(took)
        metrics.received.inc(received)
        metrics.sent.inc(sent)
        if code:
            metrics.refusals.labels(code).inc()
        access_log.request_answered(
            request_id=request.get(REQUEST_ID, ""), method=request.method, route=route, status=status, code=code,
            ms=round(1000 * took, 1), received=received, sent=sent, version=edge.stylizer.version,
        )  # fmt: skip


@web.middleware
async def _authorized(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let nobody pass whom the route is not for."""
    access = request.app[_ACCESS].get(request.match_info.handler)
    if access is not None:
        request.app[EDGE].security.check(request, access)
    return await handler(request)


@web.middleware
async def _welcome(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count what is in flight, and take no more work once the edge is to end."""
    edge = request.app[EDGE]
    if request.app[_ACCESS].get(request.match_info.handler) is not Access.CLIENT or request.method == "GET":
        return await handler(request)
    if (reason := edge.not_ready()) is not None:
        raise reason
    edge.in_flight += 1
    try:
        return await handler(request)
    finally:
        edge.in_flight -= 1


def _route_of(request: web.Request) -> str:
    """The route's pattern, so that neither ids nor what attackers write become names of metrics."""
    resource = request.match_info.route.resource
    return _UNKNOWN if resource is None else resource.canonical


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "mvstylizer"
    if REQUEST_ID in request:
        response.headers["X-Request-Id"] = request[REQUEST_ID]
