"""Checkpoints: weights and optimizer state as safetensors beside a JSON manifest with their sha256.

A checkpoint is a directory of its own, written under a temporary name and renamed when it is complete, so a killed
run leaves either the whole checkpoint or none. Nothing is ever pickled.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mvstylizer import durable
from mvstylizer.errors import InputError

_MANIFEST = "manifest.json"
_WEIGHTS = "weights.safetensors"
_OPTIMIZER = "optimizer.safetensors"


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
    """Write ``directory/step-NNNNNN`` durably and drop all but the ``keep`` newest; returns the new one."""
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / f"step-{checkpoint.step:06d}"
    partial = directory / f".{target.name}.part"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    save_file(_contiguous(checkpoint.weights), partial / _WEIGHTS)
    save_file(_contiguous(checkpoint.optimizer), partial / _OPTIMIZER)
    manifest = {
        "kind": checkpoint.kind,
        "step": checkpoint.step,
        "config": checkpoint.config,
        "sha256": {name: _sha256(partial / name) for name in (_WEIGHTS, _OPTIMIZER)},
    }
    (partial / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    for path in (*partial.iterdir(), partial):
        durable.fsync(path)
    if target.exists():
        shutil.rmtree(target)
    partial.rename(target)
    durable.fsync(directory)
    for old in _steps(directory)[:-keep]:
        shutil.rmtree(old)
    return target


def load(directory: Path) -> Checkpoint:
    """Read one checkpoint, or the newest valid one below ``directory``.

    Raises:
        InputError: there is none, or a file does not match its sha256.
    """
    if (directory / _MANIFEST).is_file():
        return _read(directory)
    errors = []
    for candidate in reversed(_steps(directory)):
        try:
            return _read(candidate)
        except InputError as error:
            errors.append(str(error))
    raise InputError(errors[0] if errors else f"{directory}: no checkpoint there; name a directory that training wrote")


def exists(directory: Path) -> bool:
    """Whether a run has left any checkpoint in ``directory``."""
    return bool(_steps(directory))


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
    try:
        manifest = json.loads((directory / _MANIFEST).read_text())
        for name in (_WEIGHTS, _OPTIMIZER):
            if _sha256(directory / name) != manifest["sha256"][name]:
                raise InputError(f"{directory / name} is damaged (sha256 differs); use an older checkpoint")
        return Checkpoint(
            manifest["kind"],
            manifest["step"],
            manifest["config"],
            load_file(directory / _WEIGHTS),
            load_file(directory / _OPTIMIZER),
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise InputError(f"{directory} is not a checkpoint ({error}); name a directory that training wrote") from error


def _steps(directory: Path) -> list[Path]:
    # By number: from a million on, names have more digits.
    return sorted(directory.glob("step-*"), key=lambda path: (len(path.name), path.name))


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().contiguous() for name, tensor in tensors.items()}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
