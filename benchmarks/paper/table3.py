"""Table 3: how stylized frames look.

The paper draws 1000 frames of 512x256 and gives the Inception score and the FID of what its stylizer makes of them.
Both need Inception's weights, which ``benchmarks.paper.inception`` says how to give; without them their cells say so.
FID is to the same frames before stylizing: the paper names no other set. Beside them stands what needs no classifier
of things: edges, halos and the distance to the style (``benchmarks.pair_scores``), which answer what the paper's
scores only hint at.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.clips import proxies
from benchmarks.pair_report import DEFINITIONS, FINAL, OURS, RAW, ByPair, means_table, wins_table
from benchmarks.pair_scores import (
    TEACHER,
    Features,
    Pair,
    Scores,
    codes,
    pair_names,
    prepared,
    read_pair,
    real,
    score_all,
    teacher_features,
)
from benchmarks.pairs import Method, all_methods, anchor_folders
from benchmarks.paper.inception import WEIGHTS, Network, network, scores, seen
from benchmarks.paper.part import Comparison, Context, Picture, Report, Size, table
from benchmarks.paper.published import TABLE3
from mvstylizer.pictures import fit_within

NOT_MEASURED = "not measured here"
_FRAMES = 1000
_LONGEST = 10_000
_FREE = "identity"
"""Keeps all edges and brings no style: no rival."""


def measure(context: Context, teacher: Path = TEACHER, sees: Network | None = None) -> Report:
    """Inception score and FID where there are weights, or another network ``sees``, and the scores on pairs.

    Raises:
        InputError: the weights, or those of the 16x proxy ``teacher``, are another network's.
        UsageError: torch-fidelity is not installed, and there are weights; or torch, and there is a teacher.
    """
    sees = sees or network()
    generated = None if sees is None else _generated(context, sees)
    by_pair = _by_pair(context, teacher)
    lines = [*_paper_table(generated), "", *_generated_notes(context, generated), "", *_pairs(context, by_pair)]
    if not teacher.exists():
        lines += ["", f"Gram and mean/std are left out: the 16x proxy's weights are not at {teacher}."]
    return Report("Table 3: visual quality of stylized frames", lines, summary=_summary(generated, by_pair))


# Inception score and FID


def _generated(context: Context, sees: Network) -> dict[str, dict[str, float]]:
    """``inception`` and ``fid`` by method; each is measured once."""
    size, count = context.sizes[0], _count(context)
    methods = all_methods(context.engine, size.long_side, {})
    frames = cache(lambda: drawn_frames(context, size, count))
    before = cache(lambda: seen((frame for _, frame in frames()), sees))

    def score(method: Method) -> dict[str, float]:
        return scores(seen(_stylized(context, frames(), method), sees), before())

    def once(name: str) -> dict[str, float]:
        key = context.key("table 3, Inception", size.name, count, name)
        return dict(context.finished.once(key, lambda: score(methods[name])))

    return {name: once(name) for name in methods if name != _FREE}


def _count(context: Context) -> int:
    return 8 if context.quick else _FRAMES


def drawn_frames(context: Context, size: Size, count: int) -> list[tuple[int, Picture]]:
    """``count`` frames of all clips, or as many as there are, drawn by lot, and the number of the clip of each."""
    rng, kept, met = np.random.default_rng(0), list[tuple[int, Picture]](), 0
    for number, path in enumerate(context.material.clips):
        for frame in proxies(path, _LONGEST, size.long_side):
            met += 1
            place = len(kept) if len(kept) < count else int(rng.integers(met))
            if place < count:
                kept[place : place + 1] = [(number, _of_size(frame, size))]
    return kept


def _of_size(frame: Picture, size: Size) -> Picture:
    return np.asarray(cv2.resize(frame, (size.width, size.height), interpolation=cv2.INTER_AREA), np.uint8)


def _stylized(context: Context, frames: Sequence[tuple[int, Picture]], method: Method) -> Iterator[Picture]:
    style = cache(lambda number: real(fit_within(context.material.style(number), context.sizes[0].long_side)))
    for number, frame in frames:
        yield codes(method.make(Pair("", real(frame), style(number))))


def _paper_table(generated: Mapping[str, Mapping[str, float]] | None) -> list[str]:
    rows: list[Sequence[object]] = [(f"*{name}, the paper's*", *values) for name, values in TABLE3.items()]
    if generated is None:
        rows += [(name, NOT_MEASURED, NOT_MEASURED) for name in OURS]
    else:
        rows += [(name, f"{each['inception']:.2f}", f"{each['fid']:.2f}") for name, each in generated.items()]
    return table(("", "Inception score ↑", "FID ↓"), rows)


def _generated_notes(context: Context, generated: Mapping[str, object] | None) -> list[str]:
    size = context.sizes[0]
    notes = [
        f"Of {_count(context)} frames of {size.name} drawn from all clips; FID to the same frames before stylizing; "
        "Inception score in one split. (A split's score is at most its number of frames, so the usual ten splits of "
        "1000 frames could not give the paper's 129 and 135.) With fewer frames than Inception has features, 2048, "
        "neither compares across papers."
    ]
    if generated is None:
        notes.append(f"Not measured here: Inception's weights are not on this machine. `{WEIGHTS}=FILE` measures them.")
    return notes


# Scores on pairs


def _by_pair(context: Context, teacher: Path) -> ByPair:
    """Scores of all methods by pair; each pair is measured once."""
    evaluation, long_side = context.material.evaluation, context.sizes[0].long_side
    folders = anchor_folders(evaluation) if evaluation else {}
    methods = cache(lambda: all_methods(context.engine, long_side, folders))
    has_teacher = teacher.exists()
    features = cache(lambda: teacher_features(teacher) if has_teacher else None)

    def once(name: str, pair: Callable[[], Pair]) -> dict[str, Scores]:
        key = context.key("table 3, pair", name, long_side, ",".join(folders), "Gram" * has_teacher)
        found = context.finished.once(key, lambda: _scored(pair(), methods(), features()))
        return {method: Scores(**values) for method, values in found.items()}

    return {name: once(name, pair) for name, pair in _named_pairs(context, long_side)}


def _scored(pair: Pair, methods: Mapping[str, Method], features: Features | None) -> dict[str, dict[str, object]]:
    results = {name: method.result(pair) for name, method in methods.items()}
    return {name: asdict(each) for name, each in score_all(results, pair, features).items()}


def _named_pairs(context: Context, long_side: int) -> Iterator[tuple[str, Callable[[], Pair]]]:
    """The pairs of the evaluation, or every clip's first frame with its style."""
    material = context.material
    if material.evaluation is not None:
        folder = material.evaluation / "pairs"
        for name in pair_names(folder):
            yield name, partial(read_pair, folder, name, long_side)
        return
    for number, path in enumerate(material.clips):
        yield path.stem, partial(_first_frame, context, number, long_side)


def _first_frame(context: Context, number: int, long_side: int) -> Pair:
    path = context.material.clips[number]
    frame, style = proxies(path, 1, long_side)[0], context.material.style(number)
    return Pair(path.stem, prepared(frame, long_side), prepared(style, long_side))


def _pairs(context: Context, by_pair: ByPair) -> Iterator[str]:
    where = "given pairs" if context.material.evaluation else "pairs of a clip's first frame and its style"
    yield f"On {len(by_pair)} {where}, long side {context.sizes[0].long_side}. {DEFINITIONS}"
    yield ""
    yield from means_table(by_pair)
    if _has_gram(by_pair):
        yield ""
        yield from wins_table(by_pair)


def _has_gram(by_pair: ByPair) -> bool:
    return not any(np.isnan(each.gram) for methods in by_pair.values() for each in methods.values())


def _summary(generated: Mapping[str, Mapping[str, float]] | None, by_pair: ByPair) -> list[Comparison]:
    theirs, others = TABLE3["MVStylizer"], TABLE3["Li et al."]
    own = [NOT_MEASURED] * 2 if generated is None else [f"{generated[RAW][name]:.2f}" for name in ("inception", "fid")]
    lines = [
        Comparison(f"{name} (Li et al. {other})", f"{value}", mine)
        for name, value, other, mine in zip(("Inception score", "FID"), theirs, others, own, strict=True)
    ]
    edges, best = _ours_and_best(by_pair, "edge", max)
    lines.append(Comparison(f"edges kept, {len(by_pair)} pairs; best other: {best}", "", edges))
    if _has_gram(by_pair):
        gram, best = _ours_and_best(by_pair, "gram", min)
        lines.append(Comparison(f"Gram distance to the style; best other: {best}", "", gram))
    return lines


def _ours_and_best(by_pair: ByPair, measure: str, best: Callable[..., str]) -> tuple[str, str]:
    """Our mean over pairs beside the best other method's, and that method's name."""
    means = {
        name: float(np.mean([getattr(methods[name], measure) for methods in by_pair.values()]))
        for name in next(iter(by_pair.values()))
    }
    other = best((name for name in means if name not in (*OURS, _FREE)), key=lambda name: means[name])
    return f"{means[FINAL]:.3f} against {means[other]:.3f}", other
