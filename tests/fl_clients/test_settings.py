"""What is handed to a trainer's app through Flower."""

from pathlib import Path

import pytest
from flwr.common.config import parse_config_args

from fl_clients.settings import TrainerSettings
from mvstylizer.errors import UsageError


@pytest.mark.parametrize("name", ["plain", "with spaces", 'quo"te', "back\\slash", "a=b c=1", "#x", "schön", "x.toml"])
def test_flower_passes_settings_on(tmp_path: Path, name: str) -> None:
    """What the launcher says is what the app hears, whatever the directories are called."""
    folder = tmp_path / name
    told = TrainerSettings(
        folder / "frames.sqlite", folder, folder / "t.toml", train_without_edge=True, quiet_seconds=0.5, max_uses=9,
        edge_token_file=folder / "token",
    )  # fmt: skip
    assert TrainerSettings.from_node_config(parse_config_args([told.to_node_config()])) == told


def test_relative_paths_become_whole() -> None:
    """Flower's processes work in other directories."""
    told = TrainerSettings(Path("frames.sqlite"), Path("edge"), Path("trainer"))
    heard = TrainerSettings.from_node_config(parse_config_args([told.to_node_config()]))
    assert heard.frame_store == Path("frames.sqlite").resolve()


@pytest.mark.parametrize("name", ["it's", "line\nbreak"])
def test_a_name_that_cannot_be_passed_on(name: str) -> None:
    """It is refused at the start, not misread by every round."""
    with pytest.raises(UsageError, match="choose a name"):
        TrainerSettings(Path(name), Path("edge"), Path("trainer")).to_node_config()


def test_settings_of_another_program() -> None:
    """A node that was not started by flower-client is told so."""
    with pytest.raises(UsageError, match="flower-client"):
        TrainerSettings.from_node_config({"partition-id": 0})
    with pytest.raises(UsageError, match="flower-client"):
        TrainerSettings.from_node_config({"edge": "http://127.0.0.1:8080"})
