"""Where tests of faults keep how long recovery took; ``benchmarks.federated.recovery`` makes a table of it."""

import os
from pathlib import Path


def measured(what: str, seconds: float) -> None:
    """Add a line to ``$MVSTYLIZER_RECOVERIES``, if that names a file; ``what`` is ``FAULT, until SOMETHING``."""
    if path := os.environ.get("MVSTYLIZER_RECOVERIES"):
        with Path(path).open("a") as file:
            file.write(f"{what}: {seconds:.1f} s\n")
