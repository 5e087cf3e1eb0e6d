"""Processes below one that was started, as /proc tells of them."""

import os
import subprocess
import sys
import time

from benchmarks.federated.processes import below

_PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]]); input()"


def test_children_and_what_they_took() -> None:
    """A process is found below its parent with when it began; what a finished child took stands with its parent."""
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    before = time.time()
    command = [sys.executable, "-c", _PARENT, busy]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        end = time.monotonic() + 60
        while time.monotonic() < end and not below(process.pid)[0].ended:
            time.sleep(0.05)
        (found,) = below(process.pid)
        process.communicate(b"\n")
    assert found.ended >= 0.3 and found.parent == os.getpid()
    assert before - 1 < found.began < time.time() + 1
    assert not below(process.pid)
