"""A real edge as a process of its own, and what it costs the machine."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mvstylizer.errors import EdgeError

_COMMAND = "import sys; from mvstylizer.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class EdgeProcess:
    """Where it listens, and its process id."""

    url: str
    pid: int

    @property
    def resident_bytes(self) -> int:
        """Memory that it holds now."""
        return self._memory("VmRSS")

    @property
    def peak_bytes(self) -> int:
        """Memory that it has held at most."""
        return self._memory("VmHWM")

    @property
    def files(self) -> int:
        """Open files and connections."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    @property
    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))

    def _memory(self, name: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition(f"{name}:")[2].split()[0]) * 1024


@contextmanager
def edge_process(*arguments: str) -> Iterator[EdgeProcess]:
    """``mvstylizer serve`` on a free port; raises EdgeError if it does not start, or does not end in peace."""
    command = [sys.executable, "-c", _COMMAND, "serve", "--port", "0", "--log", "none", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if "listening on " not in line:
                raise EdgeError(f"the edge did not start ({' '.join(command[3:])}); see above")
            yield EdgeProcess(line.partition("listening on ")[2].split()[0], process.pid)
        finally:
            process.terminate()
            code = process.wait()
    if code:
        raise EdgeError(f"the edge ended with {code}; see above")
