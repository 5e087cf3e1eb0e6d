"""Campaigns on the real stylizer, with edges in this process: what is written, and going on from it."""

import json
import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Context, Message

from fl_server.campaign import Campaign
from fl_server.cloud_dir import CloudDir
from fl_server.local_grid import LocalGrid
from fl_server.round_log import RoundLog
from fl_server.settings import CloudSettings
from mvstylizer.errors import InputError
from mvstylizer.training import checkpoint
from mvstylizer.training.checkpoint import Checkpoint
from mvstylizer.training.loop import load_stylizer
from mvstylizer.training.packing import layout, pack
from tests.fl_server import tiny_client
from tests.fl_server.federation import Answer
from tests.fl_server.tiny_client import reply, weights_of
from tests.networks import write_photos

CONFIGS = {"oslo": {"step": 0.002}, "rome": {"step": 0.001, "examples": 6}}


def a_cloud(folder: Path) -> CloudDir:
    cloud = CloudDir(folder)
    cloud.make()
    return cloud


def run(cloud: CloudDir, start: Path, edges: dict[str, Answer] | None = None, **settings: Any) -> LocalGrid:
    """One campaign; gives what was sent."""
    grid = LocalGrid(edges or dict.fromkeys(CONFIGS, tiny_client.app), CONFIGS)
    Campaign(grid, cloud, CloudSettings(start=str(start), pause=0.0, **settings), poll=0.0).run()
    return grid


def steps(cloud: CloudDir) -> list[str]:
    return sorted(path.name for path in cloud.checkpoints.iterdir())


def weights(directory: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    return pack(load_stylizer(directory)[0])


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_each_round_is_a_checkpoint_that_everything_reads(tmp_path: Path, start: Path) -> None:
    """The start and each round lie there as training's own do, with the average of the edges and what made it."""
    cloud = a_cloud(tmp_path / "cloud")
    grid = run(cloud, start, rounds=2)
    assert steps(cloud) == ["step-000000", "step-000001", "step-000002"]
    mean = (0.002 * 2 + 0.001 * 6) / 8
    np.testing.assert_allclose(weights(cloud.checkpoints), weights(start) + 2 * np.float32(mean), atol=1e-6)
    stylizer, saved = load_stylizer(cloud.checkpoints)
    federated = saved.config["federated"]
    assert federated["strategy"] == "fedavg" and federated["layout"] == layout(stylizer)
    assert [each["name"] for each in federated["participants"]] == ["oslo", "rome"]
    assert federated["metrics"].keys() == {"loss-before", "loss-after", "content", "style", "seconds"}
    config = grid.messages[-1].content["config"]
    told = {"layout": layout(stylizer), "round": 2, "server-round": 2, "steps": 50, "batch": 2, "crop": 128}
    assert {key: config[key] for key in told} == told
    assert config["proximal-mu"] == 0.0 and config["learning-rate"] == 3e-5


def test_campaigns_are_one_training(tmp_path: Path, start: Path) -> None:
    """Three campaigns of one round, of which one has nothing to do, give what one of three does, FedAdam's state and
    bias correction included; the rounds are counted on."""
    at_once, in_turn = a_cloud(tmp_path / "a"), a_cloud(tmp_path / "b")
    run(at_once, start, rounds=3, strategy="fedadam")
    for _ in range(4):
        grid = run(in_turn, start, rounds=3, campaign=1, strategy="fedadam")
    assert not grid.messages
    first, second = (checkpoint.load(cloud.checkpoints) for cloud in (at_once, in_turn))
    assert first.step == second.step == 3
    assert first.optimizer.keys() == second.optimizer.keys() == {"m_t", "v_t"}
    for ours, theirs in ((first.weights, second.weights), (first.optimizer, second.optimizer)):
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_damaged_checkpoint_costs_one_round(tmp_path: Path, start: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With the newest corrupted the campaign goes on from the one before, says so once, and does the round again."""
    cloud = a_cloud(tmp_path / "cloud")
    run(cloud, start, rounds=2)
    expected = weights(cloud.checkpoints)
    flip_a_byte(cloud.checkpoints / "step-000002/weights.safetensors")
    with caplog.at_level(logging.ERROR):
        run(cloud, start, rounds=2)
    told = [record.getMessage() for record in caplog.records if "damaged" in record.getMessage()]
    assert len(told) == 1 and "step-000002" in told[0]
    np.testing.assert_array_equal(weights(cloud.checkpoints / "step-000002"), expected)
    assert [line["round"] for line in RoundLog(cloud.round_log).refresh()] == [0, 1, 2]


def test_nothing_valid_left_is_no_reason_to_begin_anew(tmp_path: Path, start: Path) -> None:
    """Where all checkpoints are damaged the campaign ends with what to do, and does not overwrite them."""
    cloud = a_cloud(tmp_path / "cloud")
    run(cloud, start, rounds=1)
    for path in cloud.checkpoints.iterdir():
        flip_a_byte(path / "weights.safetensors")
    with pytest.raises(InputError, match="every checkpoint is damaged"):
        run(cloud, start, rounds=1)


def test_a_full_disk_holds_the_round_in_memory(
    tmp_path: Path, start: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While the directory cannot be written the round waits, loudly; as soon as it can, it is there, and edges were
    asked once only."""
    cloud = a_cloud(tmp_path / "cloud")
    run(cloud, start, rounds=1)
    away = tmp_path / "away"
    asked: list[Message] = []

    def count(message: Message, context: Context) -> Message:
        asked.append(message)
        return reply(message, weights_of(message), 2)

    def make_room() -> None:
        cloud.checkpoints.unlink()
        away.rename(cloud.checkpoints)

    original = checkpoint.save
    tries: list[int] = []

    def fails_twice(directory: Path, result: Checkpoint, keep: int = 2) -> Path:
        tries.append(result.step)
        if len(tries) == 1:
            directory.rename(away)
            directory.write_text("in the way")
            threading.Timer(0.5, make_room).start()
        return original(directory, result, keep)

    monkeypatch.setattr(checkpoint, "save", fails_twice)
    with caplog.at_level(logging.ERROR):
        run(cloud, start, {"oslo": count}, rounds=2)
    assert len(asked) == 1 and tries[:2] == [2, 2] and "step-000002" in steps(cloud)
    assert any("held in memory" in record.getMessage() for record in caplog.records)


def test_the_last_and_the_best_are_kept(tmp_path: Path, start: Path) -> None:
    """Of six rounds the last two stay, and the one that edges measured best stays aside with its loss."""
    losses = {1: 0.9, 2: 0.5, 3: 0.2, 4: 0.4, 5: 0.6, 6: 0.7}

    def measures(message: Message, context: Context) -> Message:
        number = int(str(message.content["config"]["round"]))
        return reply(message, weights_of(message) + np.float32(0.001), 2, **{"loss-before": losses[number]})

    cloud = a_cloud(tmp_path / "cloud")
    run(cloud, start, {"oslo": measures}, rounds=6, keep=2)
    assert steps(cloud) == ["step-000005", "step-000006"]
    # What an edge measures before it trains in round 3 is the model of round 2.
    best = checkpoint.load(cloud.best)
    assert best.step == 2 and best.config["federated"]["held-out-loss"] == 0.2


def test_photos_of_its_own_are_measured(tmp_path: Path, start: Path) -> None:
    """With --photos each round, and the start, has the loss on the cloud's own pictures, the same for one model."""
    cloud, again = a_cloud(tmp_path / "cloud"), a_cloud(tmp_path / "again")
    photos = write_photos(tmp_path / "photos", count=3)
    for each in (cloud, again):
        run(each, start, rounds=1, photos=str(photos), crop=64)
    lines = RoundLog(cloud.round_log).refresh()
    measured = [line["metrics"]["held-out-loss"] for line in lines]
    assert len(measured) == 2 and measured[0] != measured[1] and min(measured) > 0
    assert measured == [line["metrics"]["held-out-loss"] for line in RoundLog(again.round_log).refresh()]
    assert checkpoint.load(cloud.best).config["federated"]["held-out-loss"] == min(measured)


def test_another_strategy_takes_over_without_the_old_state(tmp_path: Path, start: Path) -> None:
    """The model stays, the momentum of another method does not."""
    cloud = a_cloud(tmp_path / "cloud")
    run(cloud, start, rounds=1, strategy="fedavgm")
    assert checkpoint.load(cloud.checkpoints).optimizer
    run(cloud, start, rounds=2)
    assert checkpoint.load(cloud.checkpoints).step == 2 and not checkpoint.load(cloud.checkpoints).optimizer


def test_noise_is_accounted_for_over_campaigns(tmp_path: Path, start: Path) -> None:
    """Each manifest tells the ε of all rounds so far, also after a restart."""
    cloud = a_cloud(tmp_path / "cloud")
    run(cloud, start, rounds=1, dp_noise=1.0)
    first = checkpoint.load(cloud.checkpoints).config["federated"]["privacy"]
    run(cloud, start, rounds=2, dp_noise=1.0)
    second = checkpoint.load(cloud.checkpoints).config["federated"]["privacy"]
    assert first["epsilon"] == pytest.approx(0.5 + 2 * np.sqrt(0.5 * np.log(1e5)))
    assert second["epsilon"] == pytest.approx(1 + 2 * np.sqrt(np.log(1e5)))


def test_half_a_line_of_the_log_harms_nobody(tmp_path: Path, start: Path) -> None:
    """What a kill left of a line is passed over, and the next line stands by itself."""
    cloud = a_cloud(tmp_path / "cloud")
    run(cloud, start, rounds=1)
    with cloud.round_log.open("a") as file:
        file.write('{"round": 2, "metr')
    run(cloud, start, rounds=2)
    assert [line["round"] for line in RoundLog(cloud.round_log).refresh()] == [0, 1, 2]
    assert json.loads(cloud.state.read_text())["round"] == 2
