"""The OpenAPI document is true: every route is in it, and replies are what it says (schemathesis asks)."""

from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance

from inference.route import Route
from inference.routes import ADMIN_ROUTES, CLIENT_ROUTES
from inference.security import Security
from inference.serve import listening
from inference.stylizer import Stylizer
from tests.inference.conftest import StandIn, edge_in_a_thread

_BEYOND_WORDS: list[Any] = [positive_data_acceptance]
"""No schema can say that a style's id has to be the digest of the body."""


async def test_every_route_is_described(http: aiohttp.ClientSession) -> None:
    """Method by method; nothing of the admins' is told to clients."""
    async with http.get("/openapi.json") as reply:
        told = await reply.json()
    described = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
    assert described == {(route.method, route.path) for route in CLIENT_ROUTES}
    assert all("security" not in each for methods in told["paths"].values() for each in methods.values())
    assert {route.path for route in ADMIN_ROUTES} - {path for _, path in described}


async def test_a_secured_edge_says_which_routes_ask_for_the_token(stylizer: Stylizer) -> None:
    """All but those that are open."""
    security = Security("correct-horse-battery")
    async with (
        listening(stylizer, security=security) as (url, _),
        aiohttp.ClientSession(url) as http,
        http.get("/openapi.json") as reply,
    ):
        paths = (await reply.json())["paths"]
    assert "security" in paths["/v1/stylize"]["post"]
    assert "401" in paths["/v1/stylize"]["post"]["responses"]
    assert "security" not in paths["/v2/health/live"]["get"]


@pytest.fixture(scope="module")
def api() -> Iterator[BaseSchema]:
    """The document of a running edge, as what schemathesis asks by."""
    with edge_in_a_thread(StandIn()) as url:
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


@pytest.mark.parametrize("route", CLIENT_ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_replies_are_as_described(route: Route, api: BaseSchema) -> None:
    """Status, media type, body and headers of every reply, to requests right and wrong, are those of the document."""

    @given(case=api[route.path][route.method].as_strategy())
    @settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(excluded_checks=_BEYOND_WORDS if route.method == "PUT" else None)

    ask()
