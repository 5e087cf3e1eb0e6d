"""Serves an edge that collects in the data directory ``argv[1]``, as a process."""

import sys
from pathlib import Path

from inference.contributions import Collect
from inference.data_dir import DataDir
from inference.serve import serve
from mvstylizer.errors import MVStylizerError
from tests.inference.conftest import StandIn

if __name__ == "__main__":
    try:
        serve(StandIn(), port=0, data=DataDir(Path(sys.argv[1])), collect=Collect.OPT_IN)
    except MVStylizerError as error:
        sys.exit(f"{error.exit_code} {error}")
