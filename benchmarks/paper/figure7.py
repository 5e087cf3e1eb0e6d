"""Figure 7: the held-out loss of Eq. 5 against the images trained on each edge, by one edge, two and four.

The study is ``benchmarks.federated.study``: rounds in one process, with the edges' own fine-tuning and FedAvg, several
seeds. ``python -m benchmarks.federated.engine`` runs the same edges on Flower's deployment engine.
"""

from pathlib import Path

from benchmarks.federated.report import MUST, plot, saving
from benchmarks.federated.study import study
from benchmarks.paper.part import Comparison, Context, Report
from benchmarks.paper.published import FIGURE7

SEEDS = 2
_ENCODER = Path(__file__).resolve().parents[2] / "checkpoints" / "encoder"


def measure(context: Context) -> Report:
    """Learning curves, and the images each edge needs."""
    title = "Figure 7: learning together and alone"
    photos = context.material.photos
    if photos is None or not _ENCODER.is_dir():
        return Report(title, ["Not measured: needs checkpoints/encoder, and photos below --data (train/photos)."])
    import torch

    torch.set_num_threads(1)
    made = study(photos, _ENCODER, context.finished, SEEDS, context.quick)
    plots = {
        "figure7.png": plot([made.best, *made.together]),
        "figure7_content.png": plot([made.best, *made.together], "content"),
        "figure7_style.png": plot([made.best, *made.together], "style"),
        "figure7_strategies.png": plot([made.together[-1], *made.others]),
    }
    paper = {edges: f"{FIGURE7[1] / images:.2f}" for edges, images in FIGURE7.items()}
    what = "times fewer images an edge until one edge's lowest loss"
    summary = []
    for alone, about in ((made.alone[0], "same settings"), (made.best, "one edge at the rate that suits it")):
        two, four = (saving(alone, curves) for curves in made.together)
        summary += [
            Comparison(f"{what}: 2 edges, {about}", paper[2], f"{two.ratio:.2f}"),
            Comparison(f"{what}: 4 edges, {about}", paper[4], f"{four.ratio:.2f}", f"must be {MUST}"),
        ]
    return Report(title, list(made.lines()), plots, summary)
