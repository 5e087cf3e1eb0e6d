"""The backup endpoint: what an edge that lost its disk is restored from, read only and behind a token.

``GET /v1/checkpoints/latest`` tells the newest valid round and its files' sha256; ``GET
/v1/checkpoints/{round}/{file}`` sends them, whole or from an offset (Range).
"""

import asyncio

from aiohttp import web

from fl_server.backup_files import BackupFiles, Verified
from inference.errors import ApiError
from inference.route import Access
from inference.security import Security
from mvstylizer.training.checkpoint_files import FILES, WEIGHTS

_NOT_THERE = "not-there"


class Backup:
    """Serves the checkpoints of one directory to those who show the token, if there is one."""

    def __init__(self, files: BackupFiles, security: Security) -> None:
        self._files = files
        self._security = security
        self._one_at_a_time = asyncio.Lock()

    def routes(self) -> list[web.AbstractRouteDef]:
        """To be added to an application with ``one_error_shape``."""
        return [
            web.get("/v1/checkpoints/latest", self._latest),
            web.get("/v1/checkpoints/{round:[0-9]{1,12}}/{file}", self._file),
        ]

    async def newest(self) -> Verified | None:
        """The newest valid checkpoint."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._files.newest)

    async def _latest(self, request: web.Request) -> web.Response:
        self._security.check(request, Access.CLIENT)
        found = await self.newest()
        if found is None:
            raise ApiError(404, _NOT_THERE, "there is no checkpoint yet; ask again after the first round")
        etag = f'"{found.round}-{found.sha256[WEIGHTS][:32]}"'
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if etag in (each.strip() for each in request.headers.get("If-None-Match", "").split(",")):
            return web.Response(status=304, headers=headers)
        told = {"round": found.round, "sha256": found.sha256, "layout": found.layout}
        return web.json_response(told, headers=headers)

    async def _file(self, request: web.Request) -> web.FileResponse:
        self._security.check(request, Access.CLIENT)
        number, name = int(request.match_info["round"]), request.match_info["file"]
        if name not in FILES:
            raise ApiError(404, _NOT_THERE, f"no such file; a checkpoint has {', '.join(FILES)}")
        async with self._one_at_a_time:
            found = await asyncio.to_thread(self._files.of_round, number)
        if found is None:
            raise ApiError(404, _NOT_THERE, "this round is not kept; GET /v1/checkpoints/latest tells which is")
        return web.FileResponse(found.path / name)
