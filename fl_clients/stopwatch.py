"""Where a round's time goes on an edge: part by part, by the clock and by the processor."""

import time


class Stopwatch:
    """Seconds of each part, from the end of the part before; they add up where a part comes again.

    ``cpu`` begins with ``process``: what this process has used so far, to start and to import.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._now, self._used = time.monotonic(), time.process_time()
        self.cpu = {"process": self._used}

    def lap(self, part: str) -> None:
        """The part ends now."""
        now, used = time.monotonic(), time.process_time()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._now
        self.cpu[part] = self.cpu.get(part, 0.0) + used - self._used
        self._now, self._used = now, used
