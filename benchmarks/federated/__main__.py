"""Whether edges learn faster together than alone (the paper's Figure 7), in one process, on data that are not alike.

``python -m benchmarks.federated`` writes ``federated.md``, ``federated.png`` and the two halves of Eq. 5 as
``federated_content.png`` and ``federated_style.png`` into benchmarks/results; ``benchmarks.federated.study`` says how
it is done. Finished curves are kept in a folder and not run again; ``--quick`` only shows that all of it works.
"""

import argparse
import sys
from pathlib import Path

import torch

from benchmarks.clips import SHARED, machine
from benchmarks.federated.report import MUST, plot, saving
from benchmarks.federated.study import study
from benchmarks.finished import Finished
from mvstylizer.durable import write_text
from mvstylizer.errors import MVStylizerError
from mvstylizer.pictures import write_picture

_ROOT = Path(__file__).resolve().parents[2]
_RESULTS = Path(__file__).resolve().parents[1] / "results"


def main() -> int:
    """Run the benchmark; 1 if four edges do not save what they must."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.federated", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=SHARED.parent / "train" / "photos")
    parser.add_argument("--encoder", type=Path, default=_ROOT / "checkpoints" / "encoder", help="a distilled one")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of torch, default %(default)s")
    parser.add_argument("--to", type=Path, default=_RESULTS, metavar="DIR")
    parser.add_argument("--runs", type=Path, default=_ROOT / "runs" / "federated", help="keeps finished curves")
    parser.add_argument("--quick", action="store_true", help="two tiny rounds")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error(f"--seeds {options.seeds} leaves nothing to measure; give 1 or more")
    torch.set_num_threads(options.threads)
    made = study(options.photos, options.encoder, Finished(options.runs), options.seeds, options.quick)
    lines = ["# Edges together and alone", "", "`python -m benchmarks.federated`; lower is better.", "",
             *machine(), *made.lines()]  # fmt: skip
    write_text(options.to / "federated.md", "\n".join([*lines, ""]), overwrite=True)
    for name, measure in (("federated", "loss"), ("federated_content", "content"), ("federated_style", "style")):
        write_picture(options.to / f"{name}.png", plot([made.best, *made.together], measure), overwrite=True)
    print("\n".join(lines))
    return int(saving(made.best, made.together[-1]).ratio < MUST)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.federated: error: {error}")
