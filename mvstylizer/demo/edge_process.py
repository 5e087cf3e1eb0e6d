"""Starts processes for the demo, an edge above all, and makes sure that none of them outlives it."""

import contextlib
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import IO

from mvstylizer.errors import EdgeError, InputError, MVStylizerError, NoSpaceError, UsageError

COMMAND = (sys.executable, "-m", "mvstylizer")
"""How this installation's own command line is started."""

_READY = re.compile(r"mvstylizer edge listening on (http://\S+)")
_GRACE_SECONDS = 10.0
_CLEANUP_SECONDS = 2.0
_INTERRUPTED = 130
_ERRORS = {error.exit_code: error for error in (UsageError, InputError, EdgeError, NoSpaceError)}


@contextlib.contextmanager
def running_edge(deadline: float = 60.0, command: tuple[str, ...] = COMMAND) -> Iterator[str]:
    """Run ``mvstylizer serve`` on a free port for the time of a ``with`` block; yields the edge's URL.

    What the edge logs on stderr goes on to this process's stderr.

    Raises:
        EdgeError: the edge ended, or did not say within ``deadline`` seconds where it listens.
    """
    process = subprocess.Popen(
        [*command, "serve", "--port", "0", "--log", "none"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    with _stopping(process):
        yield _wait_until_ready(process, deadline)


def run_command(arguments: list[str], command: tuple[str, ...] = COMMAND) -> None:
    """Run ``mvstylizer`` with ``arguments`` to its end; it writes to this terminal.

    Raises:
        MVStylizerError: it failed; the error's class has the exit code that it ended with.
        KeyboardInterrupt: it was interrupted.
    """
    process = subprocess.Popen([*command, *arguments])
    with _stopping(process):
        code = _wait(process)
    if code == _INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        error = _ERRORS.get(code, MVStylizerError)
        raise error(f"mvstylizer {arguments[0]} failed with exit code {code}; its own message is above")


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for ``process``; on Ctrl-C, which the terminal sends to both, leave it a moment to clean up."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_CLEANUP_SECONDS)
        raise


@contextlib.contextmanager
def _stopping(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> Iterator[None]:
    """End ``process`` when the block is left, however it is left: first politely, then by force."""
    try:
        yield
    finally:
        process.terminate()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_SECONDS)
        finally:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[str], deadline: float) -> str:
    """Return the URL that the edge prints once it listens."""
    last_words: deque[str] = deque(["it said nothing"], maxlen=1)
    printed: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def pass_on(line: str | None) -> None:
        if line is not None:
            sys.stderr.write(line)
            last_words.append(line.strip() or last_words[0])

    log = _follow(process.stderr, pass_on)
    _follow(process.stdout, printed.put)
    end = time.monotonic() + deadline
    while True:
        try:
            line = printed.get(timeout=max(end - time.monotonic(), 0))
        except queue.Empty:
            raise EdgeError(f"the edge did not start to listen within {deadline:g} s; run it again") from None
        if line is None:
            log.join(timeout=1)
            raise EdgeError(f"the edge ended before it listened: {last_words[0]}")
        if ready := _READY.match(line):
            return ready[1]
        last_words.append(line.strip() or last_words[0])


def _follow(stream: IO[str] | None, tell: Callable[[str | None], None]) -> threading.Thread:
    """Read ``stream`` to its end in the background; ``tell`` gets every line, and None at the end."""

    def read() -> None:
        if stream is not None:
            with stream:
                for line in stream:
                    tell(line)
        tell(None)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread
