"""One round's fine-tuning on one edge: the cloud's weights in, this edge's weights and losses out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from export.weights import stylizer_of_release
from fl_clients.frames import DecodedFrame, RoundFrames
from fl_clients.refusal import Reason, RefusalError
from fl_clients.stopwatch import Stopwatch
from mvstylizer.release import Release
from mvstylizer.training.finetuning import FinetuneConfig, Metrics, TrainingFrame, evaluate, finetune
from mvstylizer.training.packing import layout, pack, unpack

if TYPE_CHECKING:
    from fl_clients.task import TrainTask  # brings Flower, which a candidate can do without


@dataclass(frozen=True)
class Finetuned:
    """Weights ``(P,)`` after a round, and the losses on held-out frames before and after it."""

    weights: NDArray[np.float32]
    before: Metrics
    after: Metrics


def finetuned(
    release: Release, task: "TrainTask", frames: RoundFrames, seed: int, threads: int, watch: Stopwatch
) -> Finetuned:
    """Train the release's network from the task's weights on; ``watch`` gets the parts network, evaluate and train.

    Raises:
        RefusalError: the cloud's network is another one (LAYOUT).
        InputError: the weights are not finite, or no step had a finite gradient.
        ReleaseError: the release's network cannot be rebuilt.
    """
    if threads:
        torch.set_num_threads(threads)
    stylizer = stylizer_of_release(release)
    own = layout(stylizer)
    if own != task.layout:
        raise RefusalError(
            Reason.LAYOUT,
            f"the cloud trains network {task.layout[:12]}, this edge runs {own[:12]} (release {release.version}); "
            "give both the same release",
        )
    unpack(stylizer, task.weights)
    held_out, training = as_training_frames(frames.held_out), as_training_frames(frames.training)
    watch.lap("network")
    before = evaluate(stylizer, held_out, task.crop)
    watch.lap("evaluate")
    finetune(stylizer, training, _config(task, seed))
    watch.lap("train")
    after = evaluate(stylizer, held_out, task.crop)
    watch.lap("evaluate")
    return Finetuned(pack(stylizer), before, after)


def as_training_frames(frames: list[DecodedFrame]) -> list[TrainingFrame]:
    """As the training knows them."""
    return [TrainingFrame(frame.picture, frame.code) for frame in frames]


def _config(task: "TrainTask", seed: int) -> FinetuneConfig:
    return FinetuneConfig(
        steps=task.steps,
        batch=task.batch,
        crop=task.crop,
        learning_rate=task.learning_rate,
        proximal=task.proximal_mu,
        seed=seed,
    )
