"""Boxes of the stylizer (Figure 4) exchanged one at a time, all trained alike from scratch around one encoder.

The budget is small (``BUDGET``): it says which box learns more from the same few pictures, not how good each could
become. The objective that is compared is training's own on held-out photos, the same crops for all; the scores on
held-out pairs are of what users see. None of it looks at the evaluation's pairs, on which nothing may be chosen.
"""

from pathlib import Path

from benchmarks.pair_scores import TEACHER
from benchmarks.paper.ablation_propagation import Section
from benchmarks.paper.ablation_training import Budget, Laboratory, Variant
from benchmarks.paper.part import Comparison, Context, table
from mvstylizer.errors import InputError
from mvstylizer.network.stylizer import StylizerConfig

ENCODER = Path(__file__).resolve().parents[2] / "checkpoints" / "encoder"
BUDGET = Budget()
QUICK = Budget(2, 2, 64, 8, 1, 2, 96, (64, 128))

OURS = Variant("ours: `adain`, grid decoder, meta-smoothing", StylizerConfig())
VARIANTS = (
    Variant("untrained: closed-form transport of colours", StylizerConfig(), is_trained=False),
    OURS,
    Variant("colorization `mean` (Eq. 2)", StylizerConfig(colorization="mean")),
    Variant("colorization `wct`", StylizerConfig(colorization="wct")),
    Variant("without meta-smoothing", StylizerConfig(), has_smoothing=False),
    Variant("mirrored decoder, four levels, skips", StylizerConfig(decoder="mirrored")),
    Variant(
        "the paper's boxes: `mean` at relu4_1, mirrored decoder",
        StylizerConfig(colorization="mean", decoder="mirrored", levels=(4,), skips=False),
    ),
)


def networks(
    context: Context, budget: Budget | None = None, encoder: Path = ENCODER, teacher: Path = TEACHER
) -> Section:
    """The section: a row a variant, each measured once; or why it is not measured."""
    heading = ["## Networks", ""]
    if context.material.photos is None:
        return [*heading, "Not measured: needs `--data` with photos to train on."], []
    if missing := [path for path in (encoder, teacher) if not path.exists()]:
        return [*heading, f"Not measured: no {' and no '.join(map(str, missing))}."], []
    lab = Laboratory(context, budget or (QUICK if context.quick else BUDGET), encoder, teacher)
    try:
        found = {variant.name: lab.once(variant) for variant in VARIANTS}
    except InputError as error:
        return [*heading, f"Not measured: {error}."], []
    rows = [_row(variant, found[variant.name]) for variant in VARIANTS]
    return [*heading, *_about(lab.budget), "", *table(_HEADS, rows), "", *_NOTES], _summary(found)


_HEADS = (
    "trained alike", "objective ↓", "at r ≠ 1 ↓", "edges ↑", "halo ↓", "Gram ↓", "edges, raw ↑", "ms a proxy",
    "thousand weights",
)  # fmt: skip
_NOTES = (
    "*Objective* is training's own (Eq. 5 and the terms beside it) on held-out photos, *at r ≠ 1* the same at factors "
    "of 0.5 to 2; edges, halo and Gram distance are of what users see of held-out pairs, *raw* of the network's own "
    "output. A mirrored decoder paints pixels and has to learn to invert the encoder first, which takes far longer "
    "than this; the grid decoder starts from the closed form. One seed: small differences mean nothing.",
)


def _about(budget: Budget) -> list[str]:
    return [
        f"Each trained from scratch for {budget.steps} steps of {budget.batch} crops of {budget.crop} px from the same "
        f"{budget.photos} photos, same seed and schedule, around the same frozen `compact` encoder; judged on "
        f"{budget.judged_batches * budget.batch} held-out crops and {budget.pairs} held-out pairs at "
        f"{budget.pair_size} px. A row differs from ours in what it names."
    ]


def _row(variant: Variant, found: dict[str, float]) -> tuple[object, ...]:
    name = f"**{variant.name}**" if variant is OURS else variant.name
    quality = (f"{found['objective']:.3f}", f"{found['resized']:.3f}", f"{found['edge']:.3f}", f"{found['halo']:.4f}")
    rest = (f"{found['gram']:.2f}", f"{found['raw_edge']:.3f}", f"{found['milliseconds']:.0f}")
    return name, *quality, *rest, f"{found['thousands']:.0f}" if variant.is_trained else "0"


def _summary(found: dict[str, dict[str, float]]) -> list[Comparison]:
    ours, mean, paper = (found[variant.name] for variant in (OURS, VARIANTS[2], VARIANTS[-1]))
    values = "; ".join(f"{each['objective']:.3f}" for each in (ours, mean, paper))
    return [Comparison("held-out objective, same short training: ours; with Eq. 2; the paper's boxes", "", values)]
