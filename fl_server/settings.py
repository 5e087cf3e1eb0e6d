"""What one cloud was asked to do; ``flower-server`` writes it down, and the ServerApp's process reads it."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from mvstylizer.durable import write_text
from mvstylizer.errors import InputError


@dataclass(frozen=True)
class CloudSettings:
    """Settings of the rounds; times in seconds."""

    rounds: int | None = None
    """How many over all campaigns, None for no end."""
    campaign: int = 50
    """Rounds of one Flower run, after which the next one is submitted: Flower frees what it kept of the run."""
    strategy: str = "fedavg"
    options: dict[str, float] = field(default_factory=dict)
    """Of the strategy, by the names of its arguments."""
    min_edges: int = 1
    """That have to be there for a round to begin."""
    timeout: float = 900.0
    """After which a round does without those that have not answered."""
    pause: float = 10.0
    """Before a round is repeated in which no edge gave anything."""
    steps: int = 50
    batch: int = 2
    crop: int = 128
    learning_rate: float = 3e-5
    norm_factor: float = 10.0
    """An update is absurd when it is this many times as long as the median."""
    keep: int = 5
    """Newest checkpoints that are kept, beside the best."""
    dp_noise: float = 0.0
    """Noise multiplier of differential privacy, 0 for none."""
    dp_clip: float = 1.0
    """Longest update under differential privacy (L2 norm)."""
    dp_delta: float = 1e-5
    photos: str | None = None
    """Folder of the cloud's own held-out photos."""
    start: str | None = None
    """Directory of a checkpoint or a release to begin from, None for the bundled release."""

    def save(self, path: Path) -> None:
        """Write them durably; raises what ``durable.write_text`` raises."""
        write_text(path, json.dumps(asdict(self), indent=2) + "\n", overwrite=True)


def load_settings(path: Path) -> CloudSettings:
    """What ``save`` wrote; raises InputError where that cannot be read."""
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = {each.name for each in fields(CloudSettings)}
        return CloudSettings(**{name: value for name, value in values.items() if name in known})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no settings of a cloud ({error}); start flower-server, it writes them") from error
