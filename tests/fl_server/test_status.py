"""The page and the metrics of a cloud."""

from collections import Counter
from pathlib import Path

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from fl_server.cloud_dir import CloudDir
from fl_server.round_log import append_round, read_state, write_state
from fl_server.status import Status

_LINES = (
    {"round": 0, "metrics": {}, "participants": [], "rejections": {}, "rejected": [], "seconds": 1.0, "finished": 1.0},
    {
        "round": 1,
        "metrics": {"loss-after": 0.25, "seconds": 3.0},
        "participants": [{"node": "1", "name": "oslo", "norm": 1.0}],
        "rejections": {"norm": 2, "busy": 1},
        "rejected": [{"node": "2", "name": "<b>rome</b>", "kind": "norm", "reason": "update norm 9 & more"}],
        "seconds": 4.5,
        "finished": 2.0,
        "privacy": {"epsilon": 3.5},
    },
)


async def fetched(folder: Path, path: str) -> str:
    cloud = CloudDir(folder)
    cloud.make()
    for line in _LINES:
        append_round(cloud, dict(line))
    write_state(cloud, "training on 2 edges", 1, 5)
    app = web.Application()
    app.add_routes(Status(cloud, lambda: {"mvstylizer_cloud_restarts": Counter({"superlink": 2})}).routes())
    async with (
        TestServer(app) as server,
        ClientSession(server.make_url("")) as session,
        session.get(path) as answer,
    ):
        assert answer.status == 200
        return await answer.text()


async def test_prometheus_is_told_what_happened(tmp_path: Path) -> None:
    """Round, losses, who took part, who was refused and why, restarts, ε."""
    lines = (await fetched(tmp_path, "/metrics")).splitlines()
    for expected in (
        "mvstylizer_cloud_round 1.0",
        'mvstylizer_cloud_loss{kind="loss-after"} 0.25',
        'mvstylizer_cloud_updates_total{edge="oslo"} 1.0',
        'mvstylizer_cloud_rejections_total{kind="norm"} 2.0',
        'mvstylizer_cloud_rejections_total{kind="busy"} 1.0',
        'mvstylizer_cloud_restarts_total{process="superlink"} 2.0',
        "mvstylizer_cloud_epsilon 3.5",
    ):
        assert expected in lines


async def test_the_page_shows_it_and_runs_nothing(tmp_path: Path) -> None:
    """What edges are called is shown as text, not as part of the page."""
    page = await fetched(tmp_path, "/")
    assert "training on 2 edges" in page and "loss-after 0.25" in page
    assert "<b>rome" not in page and "&lt;b&gt;rome" in page and "9 &amp; more" in page


def test_state_is_told_or_empty(tmp_path: Path) -> None:
    """What cannot be read is as if it were not there."""
    cloud = CloudDir(tmp_path)
    assert read_state(cloud) == {}
    write_state(cloud, "waiting", 3, 7, over=True)
    assert read_state(cloud)["doing"] == "waiting" and read_state(cloud)["run"] == "7" and read_state(cloud)["over"]
    cloud.state.write_text("[1")
    assert read_state(cloud) == {}
