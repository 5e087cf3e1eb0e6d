"""The cloud's real backup endpoint over checkpoints on the disk, and what may happen to its answers on the way."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from aiohttp import web

from fl_server.backup import Backup
from fl_server.backup_files import BackupFiles
from inference.errors import one_error_shape
from inference.security import Security
from mvstylizer.network.stylizer import Stylizer
from mvstylizer.training import checkpoint
from mvstylizer.training.packing import layout

TOKEN = "cloud-token-0123456789"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Cloud:
    """A cloud's checkpoints and the address of its backup."""

    directory: Path
    url: str = ""
    asked: list[str] = field(default_factory=list)
    """Paths in the order they were asked for, with the Range if there was one."""
    damage: Callable[[str, bytes], bytes] | None = None
    """Changes the bytes of a file on the way."""

    def save(self, stylizer: Stylizer, number: int) -> None:
        """Finish a round with these weights."""
        config = {"stylizer": asdict(stylizer.config), "training": {}, "federated": {"layout": layout(stylizer)}}
        weights = dict(stylizer.state_dict())
        checkpoint.save(self.directory, checkpoint.Checkpoint("stylizer", number, config, weights, {}))


@asynccontextmanager
async def serving(directory: Path, port: int = 0) -> AsyncIterator[Cloud]:
    """The backup of a directory on loopback."""
    cloud = Cloud(directory)

    @web.middleware
    async def on_the_way(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked = " ".join(filter(None, (request.path, request.headers.get("Range"))))
        cloud.asked.append(asked)
        answer = await handler(request)
        if cloud.damage is not None and isinstance(answer, web.FileResponse):
            name = request.match_info["file"]
            path = directory / f"step-{int(request.match_info['round']):06d}" / name
            return web.Response(body=cloud.damage(name, path.read_bytes()))
        return answer

    app = web.Application(middlewares=[one_error_shape, on_the_way])
    app.add_routes(Backup(BackupFiles(directory), Security(TOKEN)).routes())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    cloud.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield cloud
    finally:
        await runner.cleanup()
