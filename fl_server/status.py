"""What a cloud shows of itself: a plain page for its operator, metrics for Prometheus."""

import html
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from fl_server.cloud_dir import CloudDir
from fl_server.round_log import RoundLog, read_state

_SHOWN = 50
_STYLE = "body{font:15px system-ui;margin:2em}td,th{text-align:left;padding:.2em 1em .2em 0;vertical-align:top}"


class Status:
    """Reads what the rounds left behind; ``counts`` gives what the launcher counted itself, by metric name."""

    def __init__(self, cloud: CloudDir, counts: Callable[[], dict[str, Counter[str]]]) -> None:
        self._cloud = cloud
        self._log = RoundLog(cloud.round_log)
        self._registry = CollectorRegistry()
        self._registry.register(_Families(self._log, counts))

    def routes(self) -> list[web.AbstractRouteDef]:
        """``/`` and ``/metrics``."""
        return [web.get("/", self._page), web.get("/metrics", self._metrics)]

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _page(self, request: web.Request) -> web.Response:
        page = _page(self._log.refresh(), read_state(self._cloud))
        return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": _POLICY})


_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class _Families(Collector):
    """Metrics made from the round log whenever somebody asks for them."""

    def __init__(self, log: RoundLog, counts: Callable[[], dict[str, Counter[str]]]) -> None:
        self._log = log
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        rounds = self._log.refresh()
        last = rounds[-1] if rounds else {}
        yield _gauge("mvstylizer_cloud_round", "Last finished round", last.get("round", 0))
        yield _gauge("mvstylizer_cloud_finished_seconds", "When it was, since 1970", last.get("finished", 0))
        yield _gauge("mvstylizer_cloud_round_seconds", "How long it took", last.get("seconds", 0))
        yield _gauge("mvstylizer_cloud_participants", "Edges that had a part in it", len(last.get("participants", [])))
        spent = last.get("privacy", {}).get("epsilon")
        if spent is not None:
            yield _gauge("mvstylizer_cloud_epsilon", "Differential privacy spent", spent)
        measured = GaugeMetricFamily("mvstylizer_cloud_loss", "Of the last round, weighted by frames", labels=["kind"])
        for kind, value in (item for item in last.get("metrics", {}).items() if item[0] != "seconds"):
            measured.add_metric([kind], value)
        yield measured
        yield from self._counters(rounds)

    def _counters(self, rounds: list[dict[str, Any]]) -> Iterator[Metric]:
        taken: Counter[str] = Counter(each["name"] for line in rounds for each in line.get("participants", []))
        yield _counter("mvstylizer_cloud_updates", "Updates that were averaged, by edge", "edge", taken)
        refused: Counter[str] = Counter()
        for line in rounds:
            refused.update(line.get("rejections", {}))
        yield _counter("mvstylizer_cloud_rejections", "Edges left out of a round, by why", "kind", refused)
        for name, (description, label) in _COUNTED.items():
            yield _counter(name, description, label, self._counts().get(name, Counter()))


_COUNTED = {
    "mvstylizer_cloud_restarts": ("Processes that died and were started again", "process"),
    "mvstylizer_cloud_campaigns": ("Campaigns by how they ended", "status"),
    "mvstylizer_cloud_damaged_checkpoints": ("Checkpoints found damaged", "directory"),
}


def _gauge(name: str, description: str, value: float) -> Metric:
    return GaugeMetricFamily(name, description, value=value)


def _counter(name: str, description: str, label: str, values: Counter[str]) -> Metric:
    family = CounterMetricFamily(name, description, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


def _page(rounds: list[dict[str, Any]], state: dict[str, Any]) -> str:
    now = f"{_text(state.get('doing', 'starting'))} (since {_ago(state.get('since'))})"
    rows = "".join(_row(line) for line in reversed(rounds[-_SHOWN:]))
    head = "<tr><th>round<th>finished<th>took<th>measured<th>edges<th>left out</tr>"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=10><title>Cloud</title>"
        f"<style>{_STYLE}</style><h1>Round {rounds[-1]['round'] if rounds else 0}</h1><p>{now}</p>"
        f"<table>{head}{rows}</table>"
    )


def _row(line: dict[str, Any]) -> str:
    measured = ", ".join(f"{name} {value:.4g}" for name, value in line.get("metrics", {}).items())
    edges = ", ".join(each["name"] for each in line.get("participants", []))
    refused = _joined(f"{each['name']}: {each['reason']}" for each in line.get("rejected", [])[-5:])
    seconds = f"{line.get('seconds', 0):.0f} s"
    cells = (str(line["round"]), _ago(line.get("finished")), seconds, measured, edges, refused)
    return f"<tr>{''.join(f'<td>{_text(cell)}' for cell in cells)}</tr>"


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(parts)


def _text(value: object) -> str:
    return html.escape(str(value))


def _ago(moment: float | None) -> str:
    if moment is None:
        return "-"
    seconds = max(0, round(time.time() - moment))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
