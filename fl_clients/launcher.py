"""Runs an edge's trainer: one SuperNode under supervision, and beside it what publishes the cloud's rounds."""

import asyncio
import signal
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from fl_clients.backup import Backup
from fl_clients.cloud_check import wait_for_cloud
from fl_clients.publishing import Publisher
from fl_clients.settings import TrainerSettings
from fl_clients.supernode import Credentials, SuperNode
from mvstylizer.errors import OutputError, UsageError


@dataclass(frozen=True)
class Trainer:
    """All that a trainer is started with: ``server`` is ``HOST:PORT``, rounds are looked for every ``poll_seconds``."""

    server: str
    credentials: Credentials
    settings: TrainerSettings
    backup: Backup | None
    tolerance: float = 0.02
    poll_seconds: float = 5.0


def run(trainer: Trainer, tell: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT; in the main thread.

    Raises:
        UsageError: another trainer works for this edge.
        EdgeError: the clock is too far from the cloud's.
        OutputError: the data directory cannot be written.
    """
    _make(trainer.settings.data_dir)
    with ExitStack() as stack:
        _lock(stack, trainer.settings.data_dir / "lock")
        if trainer.settings.edge_data_dir.is_dir():
            # The same edge with another --data-dir of the trainer would count twice in every round.
            _lock(stack, trainer.settings.edge_data_dir / "trainer.lock")
        asyncio.run(_run(trainer, tell))


async def _run(trainer: Trainer, tell: Callable[[str], None]) -> None:
    stopping = _stop_on_signals()
    work = [_train(trainer, tell)]
    if trainer.backup is not None:
        publisher = Publisher(trainer.backup, trainer.settings, trainer.tolerance)
        work.append(publisher.run_for_ever(trainer.poll_seconds, tell))
    await until(stopping, work)
    tell("ended")


async def until(stopping: asyncio.Event, work: Sequence[Awaitable[None]]) -> None:
    """Let all run until one fails, whose error is raised, or until the event is set; what still runs is cancelled."""
    tasks = [asyncio.ensure_future(each) for each in (stopping.wait(), *work)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _train(trainer: Trainer, tell: Callable[[str], None]) -> None:
    scheme = "http" if trainer.credentials.insecure else "https"
    node = SuperNode(trainer.server, trainer.credentials, trainer.settings, tell)
    node.end_leftover()
    await wait_for_cloud(f"{scheme}://{trainer.server}", trust(trainer.credentials), tell)
    tell(f"training for the cloud at {trainer.server}")
    await node.run_for_ever()


def trust(credentials: Credentials) -> ssl.SSLContext | None:
    """How the cloud's certificate is verified; raises UsageError if the CA's file cannot be read."""
    if credentials.insecure:
        return None
    try:
        return ssl.create_default_context(cafile=credentials.ca)
    except (OSError, ValueError) as error:  # an SSLError is an OSError, whose text names OpenSSL's sources
        why = "it holds no certificate in PEM form" if isinstance(error, ssl.SSLError) else error
        raise UsageError(f"--ca {credentials.ca}: cannot be used ({why}); name the PEM file of a CA") from error


def _make(data_dir: Path) -> None:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{data_dir}: cannot be made ({error.strerror}); choose another --data-dir") from error


def _lock(stack: ExitStack, path: Path) -> None:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UsageError(
            f"{path.parent}: another flower-client works for it; stop that, or choose other directories"
        ) from error
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); change the directory's permissions"
        ) from error
    stack.callback(lock.release)


def _stop_on_signals() -> asyncio.Event:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    return stop
