"""``flower-server``: Flower's SuperLink and SuperExec, campaigns one after the other, and the cloud's own listeners."""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from fl_server.backup_files import BackupFiles
from fl_server.campaigns import Campaigns, end_serverapp
from fl_server.children import Child, end_leftovers, remember
from fl_server.cloud_dir import CloudDir
from fl_server.flower_cli import FlowerCli, SuperLinkAddress, environment, scripts, write_app, write_connection
from fl_server.keys import ca_files, server_files
from fl_server.listeners import Address, listen, operator_app, public_app
from fl_server.nodes import keep_registered
from fl_server.proxy import FleetProxy
from fl_server.settings import CloudSettings
from inference.security import Security
from mvstylizer.errors import EdgeError, UsageError

_LOG = logging.getLogger(__name__)
_HEALTHY_WITHIN = 120.0
_STOP_RUN_WITHIN = 8.0


@dataclass(frozen=True)
class Cloud:
    """What one flower-server runs on."""

    directory: CloudDir
    settings: CloudSettings
    superlink: SuperLinkAddress
    status: Address
    """Of the status page, metrics and backup, on loopback."""
    public: Address | None = None
    """Where edges from outside come in, None if there are none."""
    public_tls: ssl.SSLContext | None = None
    token: str | None = None
    """That the backup asks for."""
    client_app: str = "fl_clients.app:app"
    """Of the edges, ``module:name``."""
    linger: float = 0.0
    """Seconds to go on listening after the last round, so that edges can fetch it."""


class Launcher:
    """Runs until the rounds are done or ``run`` is cancelled."""

    def __init__(self, cloud: Cloud, announce: Callable[[str], None]) -> None:
        self._cloud = cloud
        self._announce = announce
        self._restarts: Counter[str] = Counter()
        directory = cloud.directory
        env, logs = environment(directory), directory.logs
        self._superlink = Child("superlink", _superlink(cloud), env, logs, self._restarts, self._remember)
        self._superexec = Child("superexec", _superexec(cloud), env, logs, self._restarts, self._remember)
        self._flower = FlowerCli(directory)
        # One for all that look, so that damage is counted whoever finds it.
        self._files = BackupFiles(directory.checkpoints)
        self._campaigns = Campaigns(directory, self._flower, self._files, cloud.settings.rounds)

    async def run(self) -> None:
        """Raises UsageError if it cannot listen, or another flower-server runs on the directory."""
        directory = self._cloud.directory
        directory.make()
        async with AsyncExitStack() as stack:
            stack.callback(directory.lock().release)
            await asyncio.to_thread(end_leftovers, directory.children)
            await asyncio.to_thread(end_serverapp, directory)
            _refuse_taken(self._cloud.superlink)
            self._prepare()
            await self._listen(stack)
            await stack.enter_async_context(self._kept_running(self._superlink))
            await self._healthy()
            await stack.enter_async_context(self._kept_running(self._superexec))
            stack.push_async_callback(self._end_run)
            if self._cloud.superlink.ca is not None:
                await stack.enter_async_context(_meanwhile(keep_registered(directory, self._flower)))
            self._announce(f"flower-server: SuperLink on {self._cloud.superlink.url}, rounds begin")
            await self._campaigns.keep_going()
            self._announce(f"flower-server: {self._cloud.settings.rounds} rounds are done")
            await asyncio.sleep(self._cloud.linger)

    def _prepare(self) -> None:
        directory = self._cloud.directory
        self._cloud.settings.save(directory.settings)
        write_connection(directory, self._cloud.superlink)
        write_app(directory, self._cloud.client_app)
        directory.state.unlink(missing_ok=True)
        secret = _secret_file(directory)
        if not secret.exists():
            secret.touch(mode=0o600)
            secret.write_text(secrets.token_hex(32))

    async def _listen(self, stack: AsyncExitStack) -> None:
        cloud, security = self._cloud, Security(self._cloud.token)
        own = operator_app(cloud.directory, self._files, security, self._is_healthy, self._counts)
        url = await listen(stack, own, cloud.status, None)
        self._announce(f"flower-server: status page on {url}/")
        if cloud.public is not None:
            tls = _trusting(cloud.superlink)
            app = public_app(FleetProxy(cloud.superlink.url, tls), self._files, security)
            url = await listen(stack, app, cloud.public, cloud.public_tls)
            self._announce(f"flower-server: edges come in at {url}")

    async def _healthy(self) -> None:
        """Wait for the SuperLink; raises EdgeError if it does not come up."""
        url, tls = f"{self._cloud.superlink.url}/health", _trusting(self._cloud.superlink)
        give_up = asyncio.get_running_loop().time() + _HEALTHY_WITHIN
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while asyncio.get_running_loop().time() < give_up:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(url, ssl=tls or True) as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.2)
        log = self._cloud.directory.logs / "superlink.log"
        raise EdgeError(f"the SuperLink does not come up on {self._cloud.superlink}; see {log}")

    async def _end_run(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._campaigns.stop(), _STOP_RUN_WITHIN)
        # Asked to, it goes by itself when it next looks for replies, but not if nobody could ask.
        await asyncio.to_thread(end_serverapp, self._cloud.directory)

    @asynccontextmanager
    async def _kept_running(self, child: Child) -> AsyncIterator[None]:
        try:
            async with _meanwhile(child.keep_running()):
                yield
        finally:
            await child.stop()

    def _is_healthy(self) -> bool:
        return self._superlink.pid is not None and self._superexec.pid is not None

    def _remember(self) -> None:
        remember(self._cloud.directory.children, [self._superlink, self._superexec])

    def _counts(self) -> dict[str, Counter[str]]:
        return {"mvstylizer_cloud_restarts": self._restarts, "mvstylizer_cloud_campaigns": self._campaigns.ended}


def launch(cloud: Cloud, announce: Callable[[str], None] = lambda text: print(text, flush=True)) -> None:
    """Run until the rounds are done, or SIGTERM or SIGINT; then everything that was started is stopped.

    A second signal ends this process at once, and the next start ends what that left over.

    To be called in the main thread. Raises what ``Launcher.run`` raises.
    """

    async def until_stopped() -> None:
        task = asyncio.create_task(Launcher(cloud, announce).run())
        loop = asyncio.get_running_loop()

        def stop() -> None:
            for name in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(name)  # the next one has the system's own effect: it ends the process
            task.cancel()

        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(until_stopped())


@asynccontextmanager
async def _meanwhile(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """The work goes on until the block ends."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _refuse_taken(address: SuperLinkAddress) -> None:
    """Raise UsageError if somebody listens there: it may be another cloud's SuperLink, which would take our runs."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            raise UsageError(f"--address {address} cannot be listened on ({error.strerror}); choose another") from error


def _superlink(cloud: Cloud) -> list[str]:
    directory, address = cloud.directory, cloud.superlink
    command = [_program("flower-superlink"), "--isolation", "process", "--database", str(directory.database),
               "--disable-runtime-dependency-installation", "--host", address.host, "--port", str(address.port),
               "--superexec-auth-secret-file", str(_secret_file(directory))]  # fmt: skip
    if address.ca is None:
        return [*command, "--insecure"]
    certificate, key = server_files(directory)
    return [*command, "--ssl-ca-certfile", str(address.ca), "--ssl-certfile", str(certificate), "--ssl-keyfile",
            str(key), "--enable-supernode-auth"]  # fmt: skip


def _superexec(cloud: Cloud) -> list[str]:
    command = [_program("flower-superexec"), "--runtime-api-address", str(cloud.superlink), "--parent-pid",
               str(os.getpid()), "--superexec-auth-secret-file", str(_secret_file(cloud.directory))]  # fmt: skip
    ca = cloud.superlink.ca
    return [*command, "--insecure"] if ca is None else [*command, "--root-certificates", str(ca)]


def _program(name: str) -> str:
    return str(Path(scripts()) / name)


def _secret_file(directory: CloudDir) -> Path:
    return directory.flower / "superexec-secret"


def _trusting(address: SuperLinkAddress) -> ssl.SSLContext | None:
    return None if address.ca is None else ssl.create_default_context(cafile=str(address.ca))


def own_address(directory: CloudDir, host: str, port: int, *, insecure: bool) -> SuperLinkAddress:
    """The SuperLink's address, with our CA unless it is to be plain HTTP."""
    return SuperLinkAddress(host, port, None if insecure else ca_files(directory)[0])
