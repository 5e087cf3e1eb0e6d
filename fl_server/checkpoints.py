"""The cloud's backup: every round as a checkpoint before the next one begins, the last few and the best of them."""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from export.weights import stylizer_of_release
from fl_server.backup_files import BackupFiles
from fl_server.cloud_dir import CloudDir
from mvstylizer import release
from mvstylizer.errors import InputError, NoSpaceError, OutputError
from mvstylizer.network.stylizer import Stylizer
from mvstylizer.training import checkpoint, checkpoint_files
from mvstylizer.training.checkpoint import Checkpoint
from mvstylizer.training.loop import load_stylizer

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_OVER = "federated"


def begin(cloud: CloudDir, start: str | None) -> tuple[Stylizer, Checkpoint | None]:
    """The model to go on with: that of the newest valid round, else the one to start from, without a checkpoint.

    Raises:
        InputError: nothing valid is left of the rounds there were, or the start cannot be read.
    """
    newest = BackupFiles(cloud.checkpoints).newest()
    if newest is not None:
        return load_stylizer(newest.path)
    if checkpoint_files.steps(cloud.checkpoints):
        raise InputError(f"{cloud.checkpoints}: every checkpoint is damaged; put one back from a copy or from an edge, "
                         "or move the directory away to begin anew")  # fmt: skip
    return _start(start), None


def _start(start: str | None) -> Stylizer:
    if start is None:
        return stylizer_of_release(release.bundled())
    path = Path(start)
    is_release = (path / release.STYLIZE_GRAPH).exists()
    return stylizer_of_release(path) if is_release else load_stylizer(path)[0]


class RoundStore:
    """Writes rounds, so that none is lost: a full disk is waited for, with the result in memory.

    ``pause`` waits so many seconds; ``tell`` hears in a few words what is going on.
    """

    def __init__(
        self,
        cloud: CloudDir,
        keep: int,
        tell: Callable[[str], None] = lambda text: None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cloud = cloud
        self._keep = keep
        self._tell = tell
        self._pause = pause
        self._best = _score_of_best(cloud)

    def save(self, result: Checkpoint) -> None:
        """Return only when the round is on the disk."""
        seconds = _FIRST_PAUSE
        while True:
            try:
                checkpoint.save(self._cloud.checkpoints, result, self._keep)
                return
            except (NoSpaceError, OutputError) as error:
                self._tell(f"round {result.step} cannot be saved: {error}")
                _LOG.error("round %d is held in memory and not lost yet: %s; trying again in %.0f s", result.step,
                           error, seconds)  # fmt: skip
            self._pause(seconds)
            seconds = min(2 * seconds, _LONGEST_PAUSE)

    def judge(self, result: Checkpoint, loss: float) -> bool:
        """Whether this is the lowest held-out loss so far; then its checkpoint is kept aside too."""
        if self._best is not None and loss >= self._best:
            return False
        best = Checkpoint(result.kind, result.step, _with_score(result.config, loss), result.weights, result.optimizer)
        try:
            checkpoint.save(self._cloud.best, best, keep=1)
        except (NoSpaceError, OutputError) as error:
            _LOG.error("the best round so far, %d, cannot be kept aside: %s", result.step, error)
            return False
        self._best = loss
        return True


def round_checkpoint(
    stylizer: Stylizer,
    number: int,
    training: dict[str, Any],
    federated: dict[str, Any],
    state: dict[str, NDArray[Any]],
) -> Checkpoint:
    """A round's result in the form of any training's checkpoint, the strategy's state in the place of an optimizer's.

    Weights are copied.
    """
    config = {"stylizer": asdict(stylizer.config), "training": training, _OVER: federated}
    weights = {name: value.detach().clone() for name, value in stylizer.state_dict().items()}
    tensors = {name: torch.from_numpy(value) for name, value in state.items()}
    return Checkpoint("stylizer", number, config, weights, tensors)


def strategy_state(saved: Checkpoint) -> dict[str, NDArray[Any]]:
    """The state that a round's checkpoint keeps of its strategy."""
    return {name: value.numpy() for name, value in saved.optimizer.items()}


def federated_part(saved: Checkpoint | None) -> dict[str, Any]:
    """What a round left in its manifest beside the weights; empty for the start."""
    return dict(saved.config.get(_OVER, {})) if saved else {}


def _with_score(config: dict[str, Any], loss: float) -> dict[str, Any]:
    return config | {_OVER: config[_OVER] | {"held-out-loss": loss}}


def _score_of_best(cloud: CloudDir) -> float | None:
    best = BackupFiles(cloud.best).newest()
    score = best.config.get(_OVER, {}).get("held-out-loss") if best else None
    return float(score) if score is not None else None
