"""An edge's release is swapped again and again while clients ask: does one of them notice?"""

import asyncio
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks.edge.load import Run, open_loop
from benchmarks.edge.process import EdgeProcess
from inference.data_dir import DataDir
from mvstylizer.durable import write_text
from mvstylizer.release import MANIFEST, bundled


@dataclass(frozen=True)
class SwapRun:
    """What clients saw, seconds of each swap, and memory in bytes after each."""

    run: Run
    swaps: list[float]
    resident: list[int]


def two_releases(folder: Path, release: Path | None = None) -> list[Path]:
    """The release (by default the bundled one) twice, under versions ``a`` and ``b``."""
    copies = []
    for version in ("a", "b"):
        copy = folder / version
        shutil.copytree(release or bundled(), copy)
        manifest = json.loads((copy / MANIFEST).read_text()) | {"version": version}
        write_text(copy / MANIFEST, json.dumps(manifest), overwrite=True)
        copies.append(copy)
    return copies


async def swap_under_load(
    edge: EdgeProcess, data: DataDir, photo: bytes, frames: Sequence[bytes], rate: float, swaps: int, every: float
) -> SwapRun:
    """``swaps`` swaps between versions ``a`` and ``b``, one each ``every`` s, under ``rate`` requests a second."""
    seconds = (swaps + 1) * every
    load = asyncio.create_task(open_loop(edge.url, photo, frames, rate, seconds))
    took, resident = list[float](), list[int]()
    headers = {"Authorization": f"Bearer {data.admin_token()}"}
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession(data.admin_url(), headers=headers) as admin:
        for number in range(swaps):
            began = loop.time()
            version = "ba"[number % 2]
            path = "/v2/repository/models/stylizer/load"
            async with admin.post(path, json={"version": version}) as reply:
                reply.raise_for_status()
            took.append(loop.time() - began)
            resident.append(edge.resident_bytes)
            await asyncio.sleep(max(0.0, every - took[-1]))
    return SwapRun(await load, took, resident)
