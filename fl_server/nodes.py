"""Who may take part: every public key in the cloud's directory, and nobody else."""

import asyncio
import json
import logging
from dataclasses import dataclass

from fl_server.cloud_dir import CloudDir
from fl_server.flower_cli import FlowerCli
from mvstylizer.durable import write_text
from mvstylizer.errors import MVStylizerError

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 5.0


@dataclass(frozen=True)
class _Registered:
    """A node as Flower knows it: its id, and the key that it was registered with."""

    node: str
    key: str


async def keep_registered(cloud: CloudDir, flower: FlowerCli) -> None:
    """Until cancelled: register keys that were put into ``keys/nodes``, unregister those that were taken away."""
    done: dict[str, str] | None = None
    known = _read(cloud)
    while True:
        try:
            wanted = {path.stem: path.read_text() for path in cloud.node_keys.glob("*.pub")}
            if wanted != done:
                await _register(cloud, flower, wanted, known)
                done = wanted
        except (MVStylizerError, OSError) as error:
            _LOG.error("%s", error)
        await asyncio.sleep(_LOOK_SECONDS)


async def _register(cloud: CloudDir, flower: FlowerCli, wanted: dict[str, str], known: dict[str, _Registered]) -> None:
    there = await flower.nodes()
    for name, each in sorted(known.items()):
        if wanted.get(name) != each.key:
            if each.node in there:
                await flower.unregister(each.node)
            _LOG.warning("node %s is shut out: its key was taken away", name)
            del known[name]
            _write(cloud, known)
    for name, key in sorted(wanted.items()):
        # One that only we know was in a database of Flower's that is gone.
        if name not in known or known[name].node not in there:
            known[name] = _Registered(await flower.register(cloud.node_keys / f"{name}.pub", name), key)
            _write(cloud, known)
            _LOG.info("node %s is let in", name)
    _write(cloud, known)  # the disk may have been full when something changed


def _read(cloud: CloudDir) -> dict[str, _Registered]:
    try:
        told = json.loads(cloud.registered.read_text())
        return {name: _Registered(str(each["node"]), str(each["key"])) for name, each in told.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write(cloud: CloudDir, known: dict[str, _Registered]) -> None:
    told = {name: {"node": each.node, "key": each.key} for name, each in known.items()}
    write_text(cloud.registered, json.dumps(told, indent=2) + "\n", overwrite=True)
