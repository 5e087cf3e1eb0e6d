"""Checkpoints: the whole one or none, and never a damaged one."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mvstylizer.errors import InputError, NoSpaceError
from mvstylizer.training import checkpoint, checkpoint_files
from mvstylizer.training.checkpoint import Checkpoint


def some_checkpoint(step: int) -> Checkpoint:
    generator = torch.Generator().manual_seed(step)
    weights = {"a.weight": torch.randn(3, 4, 5, generator=generator), "b": torch.tensor(float(step))}
    # Convolutions are trained with channels last in memory.
    weights["c"] = torch.randn(2, 3, 4, 4, generator=generator).to(memory_format=torch.channels_last)
    return Checkpoint("stylizer", step, {"levels": [1, 2], "rate": 0.1}, weights, {"0.step": torch.tensor(step)})


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def assert_same(actual: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert actual.keys() == expected.keys()
    assert all(torch.equal(actual[name], expected[name]) for name in expected)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    """Weights and optimizer come back bit for bit, settings as they were, by its own name and by the run's."""
    saved = some_checkpoint(7)
    assert not checkpoint.exists(tmp_path)
    path = checkpoint.save(tmp_path, saved)
    assert checkpoint.exists(tmp_path) and path.parent == tmp_path
    for directory in (path, tmp_path):
        loaded = checkpoint.load(directory)
        assert (loaded.kind, loaded.step, loaded.config) == ("stylizer", 7, saved.config)
        assert_same(loaded.weights, saved.weights)
        assert_same(loaded.optimizer, saved.optimizer)


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    """Of many checkpoints two stay, the newest of which is loaded; ``keep`` changes how many."""
    for step in (5, 10, 99, 100):
        checkpoint.save(tmp_path, some_checkpoint(step))
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["step-000099", "step-000100"]
    assert checkpoint.load(tmp_path).step == 100
    for step in (101, 102):
        checkpoint.save(tmp_path, some_checkpoint(step), keep=3)
    assert len(list(tmp_path.iterdir())) == 3


def test_steps_beyond_a_million_are_newer(tmp_path: Path) -> None:
    """The newest is the one with the most steps, also where the number outgrows its zeros."""
    for step in (999_999, 1_000_000):
        checkpoint.save(tmp_path, some_checkpoint(step))
    assert checkpoint.load(tmp_path).step == 1_000_000


@pytest.mark.parametrize("file", ["weights.safetensors", "optimizer.safetensors", "manifest.json"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "missing"])
def test_a_damaged_one_is_passed_over(tmp_path: Path, file: str, damage: str) -> None:
    """Where the newest is damaged the one before is loaded; where it is the only one that is an InputError."""
    older, newest = (checkpoint.save(tmp_path, some_checkpoint(step)) for step in (1, 2))
    for path, expected in ((newest, 1), (older, None)):
        if damage == "missing":
            (path / file).unlink()
        elif damage == "cut":
            (path / file).write_bytes((path / file).read_bytes()[:50])
        elif file == "manifest.json":
            (path / file).write_text('{"kind": 7, "sha256": []}')
        else:
            flip_a_byte(path / file)
        if expected is not None:
            assert checkpoint.load(tmp_path).step == expected
    for directory in (tmp_path, newest):
        with pytest.raises(InputError) as caught:
            checkpoint.load(directory)
        assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("manifest", ["[]", "null", "{}", '{"sha256": {"weights.safetensors": 5}}', "\ud83d", "{"])
def test_other_manifests_are_refused(tmp_path: Path, manifest: str) -> None:
    """Whatever stands in a manifest: a checkpoint or an InputError."""
    path = checkpoint.save(tmp_path, some_checkpoint(1))
    (path / "manifest.json").write_bytes(manifest.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=path.name):
        checkpoint.load(path)


def test_files_that_no_sha256_vouches_for_are_refused(tmp_path: Path) -> None:
    """A file that the manifest leaves out is refused, and so is garbage with its right sha256."""
    path = checkpoint.save(tmp_path, some_checkpoint(1))
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | {"sha256": {}}))
    with pytest.raises(InputError):
        checkpoint.load(path)
    (path / "weights.safetensors").write_bytes(b"garbage")
    manifest["sha256"]["weights.safetensors"] = hashlib.sha256(b"garbage").hexdigest()
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError):
        checkpoint.load(path)


def test_nothing_there_is_an_input_error(tmp_path: Path) -> None:
    """A missing or empty directory holds no checkpoint, and that is said."""
    for directory in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match="no checkpoint"):
            checkpoint.load(directory)


def test_a_killed_run_leaves_no_half_checkpoint(tmp_path: Path) -> None:
    """What a kill left under a temporary name is never loaded, and the next save takes its place."""
    checkpoint.save(tmp_path, some_checkpoint(1))
    whole = checkpoint.save(tmp_path, some_checkpoint(2))
    whole.rename(tmp_path / ".step-000002.part")
    (tmp_path / ".step-000002.part" / "manifest.json").unlink()
    assert checkpoint.load(tmp_path).step == 1
    checkpoint.save(tmp_path, some_checkpoint(2))
    assert checkpoint.load(tmp_path).step == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-000001", "step-000002"]


def test_the_same_step_can_be_saved_again(tmp_path: Path) -> None:
    """A run that repeats a step replaces its checkpoint."""
    checkpoint.save(tmp_path, some_checkpoint(3))
    other = Checkpoint("encoder", 3, {}, {"x": torch.ones(2)}, {})
    checkpoint.save(tmp_path, other)
    assert checkpoint.load(tmp_path).kind == "encoder"


def test_a_kill_while_a_step_is_replaced_loses_nothing(tmp_path: Path) -> None:
    """Between the two renames the old one is still loaded, and the next save of that step puts all in order."""
    checkpoint.save(tmp_path, some_checkpoint(1))
    old = checkpoint.save(tmp_path, some_checkpoint(2))
    old.rename(checkpoint_files.replaced(old))
    assert checkpoint.load(tmp_path).step == 2 and len(checkpoint_files.steps(tmp_path)) == 2
    checkpoint.save(tmp_path, Checkpoint("encoder", 2, {}, {}, {}))
    assert checkpoint.load(tmp_path).kind == "encoder"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-000001", "step-000002"]


@pytest.mark.slow
def test_kills_at_any_time_leave_a_valid_checkpoint(tmp_path: Path) -> None:
    """Six times SIGKILL to a process that saves the same two steps over and over: what is loaded is always whole."""
    for step in (1, 2):
        checkpoint.save(tmp_path, some_checkpoint(step))
    code = (
        "import sys; from pathlib import Path; from mvstylizer.training import checkpoint\n"
        "from tests.training.test_checkpoint import some_checkpoint\n"
        "print('ready', flush=True)\n"
        "while True:\n    for step in (1, 2): checkpoint.save(Path(sys.argv[1]), some_checkpoint(step))"
    )
    for turn in range(6):
        with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
            if process.stdout is not None:
                process.stdout.readline()
            time.sleep(0.2 + 0.013 * turn)
            process.kill()
        loaded = checkpoint.load(tmp_path)
        assert_same(loaded.weights, some_checkpoint(loaded.step).weights)
        assert len(checkpoint_files.steps(tmp_path)) == 2


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    """On a disk of 1 MB the second checkpoint is a NoSpaceError, leaves nothing behind, and the first stays valid."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() or not mount or subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "none", disk]).returncode:
        pytest.skip("needs root and tmpfs")
    try:
        checkpoint.save(disk, some_checkpoint(1))
        large = Checkpoint("stylizer", 2, {}, {"w": torch.zeros(500_000)}, {})
        with pytest.raises(NoSpaceError, match="disk full"):
            checkpoint.save(disk, large)
        assert [path.name for path in disk.iterdir()] == ["step-000001"]
        assert checkpoint.load(disk).step == 1
    finally:
        subprocess.run(["umount", disk], check=True)


def test_optimizers_go_on_where_they_were(tmp_path: Path) -> None:
    """A restored optimizer takes exactly the step that the old one would have taken."""
    torch.manual_seed(0)
    networks = [nn.Linear(3, 2) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    first, second = (torch.optim.Adam(network.parameters(), lr=0.1) for network in networks)

    def step(network: nn.Linear, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        network(torch.ones(1, 3)).square().sum().backward()
        optimizer.step()

    for _ in range(3):
        step(networks[0], first)
    networks[1].load_state_dict(networks[0].state_dict())
    checkpoint.save(tmp_path, Checkpoint("encoder", 3, {}, {}, checkpoint.optimizer_state(first)))
    checkpoint.restore_optimizer(second, checkpoint.load(tmp_path).optimizer)
    for network, optimizer in zip(networks, (first, second), strict=True):
        step(network, optimizer)
    assert_same(networks[1].state_dict(), networks[0].state_dict())
