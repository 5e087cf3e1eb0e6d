"""What a cloud listens on: the public side for edges, and the operator's own page with the backup."""

import os
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import NamedTuple

from aiohttp import web

from fl_server.backup import Backup
from fl_server.backup_files import BackupFiles
from fl_server.cloud_dir import CloudDir
from fl_server.proxy import FleetProxy
from fl_server.status import Status
from inference.errors import one_error_shape
from inference.security import Security
from mvstylizer.errors import UsageError


class Address(NamedTuple):
    """Where something listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def public_app(proxy: FleetProxy, files: BackupFiles, security: Security) -> web.Application:
    """The Fleet API, and the backup if there is a token that protects it."""
    app = web.Application(middlewares=[one_error_shape])
    proxy.add_to(app)
    if security.token is not None:
        app.add_routes(Backup(files, security).routes())
    return app


def operator_app(
    cloud: CloudDir,
    files: BackupFiles,
    security: Security,
    healthy: Callable[[], bool],
    counts: Callable[[], dict[str, Counter[str]]],
) -> web.Application:
    """The status page, metrics, health and the backup; ``files`` are those of the backup to outside, too."""

    def all_counts() -> dict[str, Counter[str]]:
        return counts() | {"mvstylizer_cloud_damaged_checkpoints": Counter({"checkpoints": files.damaged})}

    async def health(request: web.Request) -> web.Response:
        return web.json_response({"live": True, "healthy": healthy()}, status=200 if healthy() else 503)

    app = web.Application(middlewares=[one_error_shape])
    app.add_routes([web.get("/health", health), *Status(cloud, all_counts).routes()])
    app.add_routes(Backup(files, security).routes())
    return app


async def listen(stack: AsyncExitStack, app: web.Application, address: Address, tls: ssl.SSLContext | None) -> str:
    """Listen until the stack is left; gives the URL. Raises UsageError if that is not possible."""
    host, port = address
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=3.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else str(error)
        raise UsageError(f"cannot listen on {host}:{port} ({reason}); choose another address") from error
    name = f"[{host}]" if ":" in host else host
    return f"{'http' if tls is None else 'https'}://{name}:{runner.addresses[0][1]}"
