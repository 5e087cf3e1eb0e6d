"""The admin routes are as their OpenAPI document says (schemathesis asks)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from inference.data_dir import DataDir
from inference.route import Route
from inference.routes import repository
from tests.inference.stores import edge_process, published


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, tiny_release: Path) -> Iterator[DataDir]:
    """Of an edge that runs."""
    data = DataDir(tmp_path_factory.mktemp("edge"))
    published(data, tiny_release)
    with edge_process(data.path):
        yield data


@pytest.mark.parametrize("route", repository.ROUTES, ids=lambda route: str(route.path))
def test_replies_are_as_described(route: Route, data: DataDir) -> None:
    """Status, media type, body and headers; no schema can say which versions there are."""
    api = schemathesis.openapi.from_url(f"{data.admin_url()}/openapi.json")
    token = {"Authorization": f"Bearer {data.admin_token()}"}

    @given(case=api[route.path][route.method].as_strategy())
    @settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def ask(case: schemathesis.Case) -> None:  # type: ignore[type-arg]
        case.call_and_validate(headers=token, excluded_checks=[positive_data_acceptance])

    ask()
