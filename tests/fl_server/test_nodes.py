"""Who is let in, by the keys in the cloud's directory."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from fl_server import nodes
from fl_server.cloud_dir import CloudDir
from fl_server.flower_cli import FlowerCli
from fl_server.keys import make_ca, make_node
from fl_server.nodes import keep_registered


class Registry(FlowerCli):
    """Flower's list of nodes, without Flower; like there, a key can be registered once."""

    def __init__(self, cloud: CloudDir) -> None:
        super().__init__(cloud)
        self.names: dict[str, str] = {}

    async def nodes(self) -> set[str]:
        return set(self.names)

    async def register(self, public_key: Path, name: str) -> str:
        assert name not in self.names.values()
        self.names[f"id of {name}"] = name
        return f"id of {name}"

    async def unregister(self, node: str) -> None:
        del self.names[node]


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_disk_that_cannot_be_written_delays_nodes_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While it cannot be written down who was let in, that is told; afterwards nodes come in and are shut out again."""
    monkeypatch.setattr(nodes, "_LOOK_SECONDS", 0.01)
    cloud = CloudDir(tmp_path)
    cloud.make()
    make_ca(cloud)
    registry = Registry(cloud)
    cloud.registered.mkdir()
    task = asyncio.create_task(keep_registered(cloud, registry))
    make_node(cloud, "oslo")
    await _until(lambda: "is a directory" in caplog.text)
    cloud.registered.rmdir()
    make_node(cloud, "rome")
    await _until(lambda: sorted(registry.names.values()) == ["oslo", "rome"] and cloud.registered.is_file())
    (cloud.node_keys / "oslo.pub").unlink()
    await _until(lambda: list(registry.names.values()) == ["rome"])
    assert not task.done()
    task.cancel()
