"""What a trainer is told about its edge; travels from ``flower-client`` through Flower's node config to the app."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from mvstylizer.errors import UsageError

FRAMES_AT_ONCE = 512
"""Frames that one round holds in memory at most, decoded: half a megabyte each."""


@dataclass(frozen=True)
class TrainerSettings:
    """Where the edge is, and when and on what its trainer may train."""

    frame_store: Path
    edge_data_dir: Path
    data_dir: Path
    """The trainer's own."""
    edge: str = "http://127.0.0.1:8080"
    edge_token_file: Path | None = None
    train_without_edge: bool = False
    """Whether an edge that does not answer counts as idle."""
    quiet_seconds: float = 1.0
    """So long nothing may come in before an edge counts as idle."""
    min_frames: int = 16
    """Unseen frames that a round needs at least."""
    max_uses: int = 4
    """Rounds that may train on the same frame."""
    held_out: int = 32
    """Held-out frames that are measured on, at most."""
    threads: int = 1
    """Cores for training; 0 leaves it to torch."""

    def to_node_config(self) -> str:
        """The text for ``flower-supernode --node-config``; raises UsageError for a path that cannot stand there."""
        return " ".join(f"{name}={_toml(value)}" for name, value in self.to_values().items())

    def to_values(self) -> dict[str, Any]:
        """What ``from_node_config`` reads, with whole paths: other processes work in other directories."""
        given = {each.name.replace("_", "-"): getattr(self, each.name) for each in fields(self)}
        return {
            name: str(value.resolve()) if isinstance(value, Path) else value
            for name, value in given.items()
            if value is not None
        }

    @classmethod
    def from_node_config(cls, config: Mapping[str, Any]) -> Self:
        """Undo ``to_node_config``; raises UsageError for what ``flower-client`` would not have written."""
        names = {each.name.replace("_", "-"): each for each in fields(cls)}
        if unknown := sorted(config.keys() - names.keys()):
            raise UsageError(f"node config: {unknown[0]!r} is no setting of a trainer; start it with flower-client")
        paths = ("frame-store", "edge-data-dir", "data-dir", "edge-token-file")
        values: dict[str, Any] = {
            names[key].name: Path(value) if key in paths else value for key, value in config.items()
        }
        try:
            return cls(**values)
        except TypeError as error:
            raise UsageError(f"node config: {error}; start the trainer with flower-client") from error


def _toml(value: Any) -> str:
    """A value as Flower reads it: TOML without escapes, since it cuts the text at spaces outside of quotes first."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    if not text.isprintable() or "'" in text:
        raise UsageError(f"{text!r} cannot be handed to Flower; choose a name without quotes and control characters")
    return f"'{text}'"
