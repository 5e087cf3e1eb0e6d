"""The files of checkpoints, for those that pass them on or watch over them: nothing here needs torch.

``step-NNNNNN/`` holds the weights, the optimizer's state and a JSON manifest with the sha256 of both.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from mvstylizer.errors import InputError

MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
OPTIMIZER = "optimizer.safetensors"
FILES = (MANIFEST, WEIGHTS, OPTIMIZER)
_REPLACED = ".old"


def steps(directory: Path) -> list[Path]:
    """The checkpoints below ``directory``, oldest first, valid or not.

    One that was just being replaced when its process was killed counts under its temporary name.
    """
    found = {path.name: path for path in directory.glob("step-*")}
    for path in directory.glob(f".step-*{_REPLACED}"):
        found.setdefault(path.name.removeprefix(".").removesuffix(_REPLACED), path)
    # By number: from a million on, names have more digits.
    return [found[name] for name in sorted(found, key=lambda name: (len(name), name))]


def replaced(target: Path) -> Path:
    """Where a checkpoint waits while another takes its name."""
    return target.with_name(f".{target.name}{_REPLACED}")


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of one checkpoint, after its files were found to match their sha256.

    Raises:
        InputError: it is no checkpoint, or a file is damaged.
    """
    try:
        manifest = json.loads((directory / MANIFEST).read_text())
        for name in (WEIGHTS, OPTIMIZER):
            if sha256(directory / name) != manifest["sha256"][name]:
                raise InputError(f"{directory / name} is damaged (sha256 differs); use an older checkpoint")
        if not isinstance(manifest["step"], int) or not isinstance(manifest["config"], dict):
            raise ValueError("its manifest has no step and config")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{directory} is not a checkpoint ({error}); name a directory that training wrote") from error
    return dict(manifest)


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
