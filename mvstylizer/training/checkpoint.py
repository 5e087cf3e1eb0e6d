"""Checkpoints: weights and optimizer state as safetensors beside a JSON manifest with their sha256.

A checkpoint is a directory of its own, written under a temporary name and renamed when it is complete, so a killed
run leaves either the whole checkpoint or none. Nothing is ever pickled.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialized
from torch import Tensor

from mvstylizer import durable
from mvstylizer.errors import InputError
from mvstylizer.training.checkpoint_files import MANIFEST, OPTIMIZER, WEIGHTS, read_manifest, replaced, sha256, steps


@dataclass(frozen=True)
class Checkpoint:
    """What a training run needs to go on, and what an export needs to start."""

    kind: str
    """``encoder`` or ``stylizer``."""
    step: int
    config: dict[str, Any]
    """JSON-ready settings of the network and of the run."""
    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]


def save(directory: Path, checkpoint: Checkpoint, keep: int = 2) -> Path:
    """Write ``directory/step-NNNNNN`` durably and drop all but the ``keep`` newest; returns the new one.

    Raises:
        NoSpaceError, OutputError: it cannot be written; what was there before still is.
    """
    target = directory / f"step-{checkpoint.step:06d}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        partial = _write_partial(target, checkpoint)
        _publish(partial, target)
    except OSError as error:
        raise durable.output_error(target, error) from error
    for old in steps(directory)[:-keep]:
        shutil.rmtree(old)
    return target


def _write_partial(target: Path, checkpoint: Checkpoint) -> Path:
    partial = target.with_name(f".{target.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        # Written here, not by safetensors, whose errors do not tell a full disk from others.
        (partial / WEIGHTS).write_bytes(serialized(_contiguous(checkpoint.weights)))
        (partial / OPTIMIZER).write_bytes(serialized(_contiguous(checkpoint.optimizer)))
        manifest = {
            "kind": checkpoint.kind,
            "step": checkpoint.step,
            "config": checkpoint.config,
            "sha256": {name: sha256(partial / name) for name in (WEIGHTS, OPTIMIZER)},
        }
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        for path in (*partial.iterdir(), partial):
            durable.fsync(path)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return partial


def _publish(partial: Path, target: Path) -> None:
    # A directory cannot be replaced in one step. Between these two the old one counts under its temporary name.
    old = replaced(target)
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
    partial.rename(target)
    durable.fsync(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def load(directory: Path) -> Checkpoint:
    """Read one checkpoint, or the newest valid one below ``directory``.

    Raises:
        InputError: there is none, or a file does not match its sha256.
    """
    if (directory / MANIFEST).is_file():
        return _read(directory)
    errors = []
    for candidate in reversed(steps(directory)):
        try:
            return _read(candidate)
        except InputError as error:
            errors.append(str(error))
    raise InputError(errors[0] if errors else f"{directory}: no checkpoint there; name a directory that training wrote")


def exists(directory: Path) -> bool:
    """Whether a run has left any checkpoint in ``directory``."""
    return bool(steps(directory))


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's per-parameter tensors under flat ``index.name`` keys."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{name}": value for i, entry in state.items() for name, value in entry.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what ``optimizer_state`` took."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _read(directory: Path) -> Checkpoint:
    manifest = read_manifest(directory)
    try:
        return Checkpoint(
            manifest["kind"],
            manifest["step"],
            manifest["config"],
            load_file(directory / WEIGHTS),
            load_file(directory / OPTIMIZER),
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise InputError(f"{directory} is not a checkpoint ({error}); name a directory that training wrote") from error


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
