"""Makes a release of a round's checkpoint and measures it against the running one; a process of its own.

It imports torch, whose memory goes when the process ends. Both stylizers are judged by ``finetuning.evaluate``, the
loss that training minimises, on the edge's held-out frames; for both it is checked that ONNX Runtime, which an edge
runs, gives what torch gives.
"""

import json
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from export.release import export_release
from export.weights import stylizer_of_release
from fl_clients.frames import held_out_frames
from fl_clients.reweighting import reweighted, write_release
from fl_clients.settings import TrainerSettings
from fl_clients.training import as_training_frames
from mvstylizer import release as releases
from mvstylizer.errors import EXIT_OK, MVStylizerError, ReleaseError
from mvstylizer.network.stylizer import Stylizer
from mvstylizer.release import Release
from mvstylizer.training.finetuning import TrainingFrame, evaluate
from mvstylizer.training.loop import load_stylizer


@dataclass(frozen=True)
class Candidate:
    """What was found about a release that may be published; without held-out frames there are no losses."""

    frames: int
    loss: float | None
    running_loss: float | None
    traced: bool
    """Whether the network had to be exported anew, since the running release is of another one."""
    same: bool
    """Whether it computes what the running release does, to the last bit; then there is no loss either."""
    seconds: float


def make_candidate(checkpoint: Path, base: Path, to: Path, settings: TrainerSettings, seed: int) -> Candidate:
    """Write the release of ``checkpoint`` to ``to``, whose name is its version, beside the release in ``base``.

    Raises:
        InputError: the checkpoint is damaged, or of another kind.
        ReleaseError: weights are not finite, or ONNX Runtime does not give what torch gives.
        OutputError, NoSpaceError: ``to`` cannot be written.
    """
    began = time.monotonic()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    shutil.rmtree(to, ignore_errors=True)
    stylizer, _ = load_stylizer(checkpoint)
    if not all(weights.isfinite().all() for weights in stylizer.state_dict().values()):
        raise ReleaseError(f"{checkpoint.name} holds weights that are not finite; the cloud has to go back a round")
    running = releases.load(base)
    traced = not _reweighted(running, stylizer, to)
    if traced:
        export_release(checkpoint, to, to.name)
    candidate = releases.load(to)
    same = candidate.sha256 == running.sha256
    frames = [] if same else _frames(settings, running, candidate, seed)
    ours = evaluate(stylizer, frames).loss if frames else None
    theirs = evaluate(stylizer_of_release(running), frames).loss if frames else None
    return Candidate(len(frames), ours, theirs, traced, same, time.monotonic() - began)


def _reweighted(running: Release, stylizer: Stylizer, to: Path) -> bool:
    """False if the running release is of another network."""
    try:
        release = reweighted(running, stylizer, to.name)
    except ReleaseError:
        return False
    write_release(release, to)
    return True


def _frames(settings: TrainerSettings, running: Release, candidate: Release, seed: int) -> list[TrainingFrame]:
    """Held-out frames whose codes both releases understand; none if there are none, or no store yet."""
    if candidate.encoder_sha256 != running.encoder_sha256 or not settings.frame_store.exists():
        return []
    return as_training_frames(held_out_frames(settings, running, np.random.default_rng(seed)))


def main() -> int:
    """Read JSON with the arguments of ``make_candidate`` from stdin, write a Candidate as JSON to stdout."""
    asked = json.load(sys.stdin)
    settings = TrainerSettings.from_node_config(asked["settings"])
    checkpoint, base, to = (Path(asked[name]) for name in ("checkpoint", "base", "to"))
    try:
        found = make_candidate(checkpoint, base, to, settings, int(asked["seed"]))
    except MVStylizerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(asdict(found)))
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
