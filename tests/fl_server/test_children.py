"""Processes that are kept running: real ones, short."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fl_server.children import Child, end_leftovers, is_alive, remember

_SLEEPS = "import time; print('here', flush=True); time.sleep(600)"


@asynccontextmanager
async def running(logs: Path, code: str, restarts: Counter[str]) -> AsyncIterator[Child]:
    """A child that runs this Python code."""
    child = Child("child", [sys.executable, "-c", code], dict(os.environ), logs, restarts)
    task = asyncio.create_task(child.keep_running())
    try:
        yield child
    finally:
        task.cancel()
        await child.stop()


async def until(condition: Callable[[], object]) -> None:
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise TimeoutError


async def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    """After SIGKILL another process is there, and that is counted; at the end none is."""
    restarts: Counter[str] = Counter()
    async with running(tmp_path, _SLEEPS, restarts) as child:
        await until(lambda: child.pid)
        first = child.pid or 0
        os.kill(first, 9)
        await until(lambda: child.pid not in (None, first))
        second = child.pid or 0
        assert restarts == {"child": 1}
    assert not is_alive(second)


async def test_what_it_prints_is_kept(tmp_path: Path) -> None:
    """Also errors, and lines longer than any buffer do not stop it."""
    code = "import sys; sys.stderr.write('x' * 3_000_000 + chr(10)); " + _SLEEPS
    async with running(tmp_path, code, Counter()):
        await until(lambda: (tmp_path / "child.log").exists() and "here" in (tmp_path / "child.log").read_text())


async def test_who_ignores_sigterm_is_killed_with_all_it_started(tmp_path: Path) -> None:
    """Nothing is left over: grandchildren go too."""
    code = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        "print(child.pid, flush=True); " + _SLEEPS
    )
    log = tmp_path / "child.log"
    async with running(tmp_path, code, Counter()):
        await until(lambda: log.exists() and "here" in log.read_text())
        grandchild = int(log.read_text().split()[0])
    await until(lambda: not is_alive(grandchild))


async def test_leftovers_of_a_killed_launcher_are_ended(tmp_path: Path) -> None:
    """By what was written down; a process that only has the same number is left alone."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _SLEEPS, stdout=asyncio.subprocess.DEVNULL)
    path = tmp_path / "children.json"
    path.write_text(json.dumps({"other": {"pid": process.pid, "command": ["/bin/other", "--port", "1"]}}))
    await asyncio.to_thread(end_leftovers, path)
    assert process.returncode is None and is_alive(process.pid) and not path.exists()
    path.write_text(json.dumps({"child": {"pid": process.pid, "command": [sys.executable, "-c", _SLEEPS]}}))
    ending = asyncio.create_task(asyncio.to_thread(end_leftovers, path))
    assert await asyncio.wait_for(process.wait(), 10) == -15
    await ending


async def test_what_runs_is_written_down(tmp_path: Path) -> None:
    """Process ids with their commands."""
    async with running(tmp_path, _SLEEPS, Counter()) as child:
        await until(lambda: child.pid)
        remember(tmp_path / "children.json", [child])
        told = json.loads((tmp_path / "children.json").read_text())
        assert told == {"child": {"pid": child.pid, "command": child.command}}


async def test_a_child_is_watched_though_nothing_can_be_written(tmp_path: Path) -> None:
    """With the disk full, or the directory away, a killed process is started again all the same."""
    children: list[Child] = []
    restarts: Counter[str] = Counter()
    child = Child("child", [sys.executable, "-c", _SLEEPS], dict(os.environ), tmp_path, restarts,
                  lambda: remember(tmp_path / "away" / "children.json", children))  # fmt: skip
    children.append(child)
    task = asyncio.create_task(child.keep_running())
    await until(lambda: child.pid)
    os.kill(child.pid or 0, 9)
    await until(lambda: restarts["child"] == 1 and child.pid)
    assert not task.done()
    task.cancel()
    await child.stop()
