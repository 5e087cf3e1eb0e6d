"""One campaign: a run of so many rounds, from the last round's checkpoint to this one's last."""

import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, MetricRecord
from flwr.serverapp import Grid

from fl_server.checkpoints import RoundStore, begin, federated_part, round_checkpoint, strategy_state
from fl_server.cloud_dir import CloudDir
from fl_server.guard import WEIGHTS, NormGuard
from fl_server.guarded_grid import GuardedGrid
from fl_server.held_out import HeldOut
from fl_server.privacy import privacy_spent, with_privacy
from fl_server.round_log import append_round, write_state
from fl_server.rounds import CountedRounds
from fl_server.settings import CloudSettings
from fl_server.strategies import make_strategy, packed, restore_server_state, server_state
from mvstylizer.training.checkpoint import Checkpoint
from mvstylizer.training.packing import layout, pack, unpack

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 3.0
_IN_LOG = ("strategy", "metrics", "participants", "rejected", "rejections", "attempts", "seconds", "finished",
           "privacy")  # fmt: skip


class Campaign:
    """Runs rounds on a Grid and writes each one down; begins where the cloud's directory left off.

    ``run`` is Flower's id of it; ``poll`` the time in seconds between two looks for edges.

    Raises:
        InputError: no valid checkpoint is left, or the start or the held-out photos cannot be read.
        UsageError: the strategy, an option or the privacy asked for is not possible.
    """

    def __init__(
        self, grid: Grid, cloud: CloudDir, settings: CloudSettings, run: int = 0, poll: float = _POLL_SECONDS
    ) -> None:
        self._cloud = cloud
        self._settings = settings
        self._run = run
        self._stylizer, saved = begin(cloud, settings.start)
        self._layout = layout(self._stylizer)
        self._strategy = make_strategy(settings.strategy, settings.options, settings.min_edges)
        self._initial = packed(pack(self._stylizer))
        self._before = federated_part(saved)
        self._restore(saved)
        self._completed = saved.step if saved else 0
        self._norms = NormGuard(settings.norm_factor)
        self._norms.history.extend(self._before.get("norms", []))
        self._grid = GuardedGrid(
            grid,
            self._norms,
            min_edges=settings.min_edges,
            timeout=settings.timeout,
            pause=settings.pause,
            poll=poll,
            tell=self._tell,
        )
        private = with_privacy(self._strategy, settings.dp_noise, settings.dp_clip) if settings.dp_noise else None
        self._rounds = CountedRounds(private or self._strategy, self._grid, self._completed)
        self._store = RoundStore(cloud, settings.keep, self._tell)
        photos = settings.photos
        self._held_out = HeldOut(Path(photos), self._stylizer, settings.crop) if photos else None
        self._saved = saved
        self._began = time.monotonic()

    def run(self) -> None:
        """All rounds that are left of the campaign; what was finished stays even if this is killed."""
        settings = self._settings
        left = settings.campaign
        if settings.rounds is not None:
            left = min(left, settings.rounds - self._rounds.completed)
        if left <= 0:
            return
        self._tell("beginning")
        config = ConfigRecord({"layout": self._layout, "steps": settings.steps, "batch": settings.batch,
                               "crop": settings.crop, "learning-rate": settings.learning_rate,
                               "proximal-mu": 0.0})  # fmt: skip
        self._rounds.start(self._grid, self._initial, left, settings.timeout, config, evaluate_fn=self._finish_round)

    def _restore(self, saved: Checkpoint | None) -> None:
        """The strategy's own state, unless it is that of another strategy."""
        if saved is None:
            return
        if self._before.get("strategy") != self._settings.strategy:
            _LOG.warning("the rounds so far were made with %s; its state is dropped", self._before.get("strategy"))
            return
        restore_server_state(self._strategy, strategy_state(saved), self._initial)

    def _finish_round(self, server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
        """Measure and save the round's model: what ``Strategy.start`` calls before the first and after each round."""
        number = self._rounds.completed
        if self._saved is not None and self._saved.step == number:
            return None  # The round gave no model, or it is the one that we began from.
        self._completed = number
        self._tell("measuring and saving")
        unpack(self._stylizer, arrays[WEIGHTS].numpy())
        federated = self._federated(number)
        state = server_state(self._strategy)
        result = round_checkpoint(self._stylizer, number, self._training(), federated, state)
        self._store.save(result)
        self._judge(result)
        self._saved, self._before = result, federated
        append_round(self._cloud, {"round": number} | {key: federated[key] for key in _IN_LOG if key in federated})
        _LOG.info("round %d saved: %s", number, federated["metrics"])
        self._began = time.monotonic()
        return MetricRecord(federated["metrics"])

    def _judge(self, result: Checkpoint) -> None:
        """Keep the best aside: by the cloud's photos, else by what the edges then measure on the model they got."""
        metrics = result.config["federated"]["metrics"]
        if self._held_out is not None:
            self._store.judge(result, metrics["held-out-loss"])
        elif self._saved is not None and "loss-before" in metrics:
            self._store.judge(self._saved, metrics["loss-before"])

    def _federated(self, number: int) -> dict[str, Any]:
        """What the manifest keeps of a round beside the weights."""
        exchange, settings = self._grid.exchange, self._settings
        metrics = dict(self._rounds.metrics)
        metrics.pop("round", None)
        if self._held_out is not None:
            metrics |= {f"held-out-{name}": value for name, value in self._held_out.measure(self._stylizer).items()}
        releases = self._releases(number)
        return {
            "strategy": settings.strategy,
            "options": settings.options,
            "layout": self._layout,
            "metrics": metrics,
            "participants": [
                {"node": str(node), "name": name, "norm": exchange.norms[node]}
                for node, name in exchange.taking_part.items()
            ],
            "rejected": [asdict(each) | {"node": str(each.node)} for each in exchange.rejections],
            "rejections": dict(exchange.counts),
            "attempts": exchange.attempts,
            "norms": list(self._norms.history),
            "seconds": round(time.monotonic() - self._began, 3),
            "finished": time.time(),
            "releases": releases,
        } | privacy_spent(releases, settings.dp_delta, settings.dp_clip)

    def _releases(self, number: int) -> dict[str, int]:
        """Rounds so far by their noise multiplier, over all campaigns; "0" are those without noise."""
        releases = dict(self._before.get("releases", {}))
        if number > 0:
            noise = f"{self._settings.dp_noise:g}"
            releases[noise] = releases.get(noise, 0) + 1
        return releases

    def _training(self) -> dict[str, Any]:
        settings = self._settings
        return {name: getattr(settings, name) for name in ("steps", "batch", "crop", "learning_rate")}

    def _tell(self, doing: str) -> None:
        write_state(self._cloud, doing, self._completed, self._run)
