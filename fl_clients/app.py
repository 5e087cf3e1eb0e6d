"""The Flower ClientApp: answers at once where it cannot train, else trains on the edge's frames and returns weights.

Each message starts a process of its own, so whatever is slow to import waits until it is certain to be needed. All
state is in the frame store; Flower's context lives in memory and is lost with the SuperNode.
"""

import time

import numpy as np
from flwr.app import Context, Error, Message
from flwr.clientapp import ClientApp

from fl_clients import round_log
from fl_clients.frames import check_enough, mark_used, round_frames
from fl_clients.idle import IdleGate
from fl_clients.refusal import Reason, RefusalError
from fl_clients.running_release import running_release
from fl_clients.settings import TrainerSettings
from fl_clients.stopwatch import Stopwatch
from fl_clients.task import TrainTask, reply
from mvstylizer.errors import MVStylizerError

_PATIENCE_SECONDS = 5.0
"""For which an edge at work is waited for before the round goes on without it."""

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """One round: weights and metrics, or an error with the reason why this edge stays out of it."""
    settings = TrainerSettings.from_node_config(context.node_config)
    waited = time.time() - message.metadata.created_at
    number: int | None = None
    try:
        task = TrainTask.of(message)
        number = task.round
        answer, entry = _trained(message, task, settings, context.node_id)
        round_log.append(settings.data_dir, {**entry, "waited": round(waited, 2)})
    except RefusalError as refusal:
        return _refused(message, settings, number, refusal)
    except MVStylizerError as error:
        return _refused(message, settings, number, RefusalError(Reason.FAILED, str(error)))
    return answer


def _trained(
    message: Message, task: TrainTask, settings: TrainerSettings, node: int
) -> tuple[Message, dict[str, object]]:
    """The reply, and the log's entry."""
    watch = Stopwatch()
    gate = IdleGate(
        settings.edge, settings.edge_token_file, settings.train_without_edge, settings.quiet_seconds, _PATIENCE_SECONDS
    )
    if (reason := gate.closed()) is not None:
        raise RefusalError(Reason.BUSY, reason)
    release = running_release(settings.edge_data_dir)
    check_enough(settings, release)
    watch.lap("gate")
    rng = np.random.default_rng((task.round, node))
    frames = round_frames(settings, release, task.steps * task.batch, rng)
    watch.lap("data")

    from fl_clients.training import finetuned  # brings torch

    watch.lap("torch")
    result = finetuned(release, task, frames, int(rng.integers(2**31)), settings.threads, watch)
    mark_used(settings, frames)
    watch.lap("data")
    metrics: dict[str, int | float] = {
        "num-examples": len(frames.training),
        "loss-before": result.before.loss,
        "loss-after": result.after.loss,
        "content": result.after.content,
        "style": result.after.style,
        "seconds": sum(watch.seconds.values()),
        "round": task.round,
    }
    entry = {**metrics, "result": "trained", "skipped": frames.skipped, "held-out": len(frames.held_out)}
    return reply(message, result.weights, metrics), {**entry, "seconds": _told(watch.seconds), "cpu": _told(watch.cpu)}


def _told(parts: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in parts.items()}


def _refused(message: Message, settings: TrainerSettings, number: int | None, refusal: RefusalError) -> Message:
    round_log.append(settings.data_dir, {"round": number, "result": refusal.reason.text, "why": str(refusal)})
    return Message(Error(int(refusal.reason), str(refusal)), reply_to=message)
