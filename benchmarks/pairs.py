"""How a release does on content/style pairs, against classic colour transfer and other methods' results.

``python -m benchmarks.pairs --to DIR`` writes ``final/<id>.png`` (DNN at proxy size, affine field, applied to the
picture: what users see), ``raw/<id>.png`` (the DNN's own output), ``sheet.jpg`` (the pairs at a glance) and
``pairs.md`` (all scores, also printed). ``NAME=DIR`` adds a row for a folder of another method's ``<id>.png``.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.anchors import ANCHORS, Anchor
from benchmarks.clips import SHARED, machine
from benchmarks.pair_report import FINAL, RAW, RIVAL, ByPair, report
from benchmarks.pair_scores import (
    TEACHER,
    Features,
    Pair,
    Picture,
    Result,
    codes,
    pair_names,
    read_pair,
    read_result,
    real,
    score_all,
    teacher_features,
)
from benchmarks.pair_sheet import PairSheet
from mvstylizer import durable
from mvstylizer.device import stylize_picture
from mvstylizer.engine import Engine, LocalStylizer
from mvstylizer.errors import InputError, MVStylizerError, UsageError
from mvstylizer.pictures import write_picture
from mvstylizer.styles import Style

_NAMES = {
    "pcakd_vgg": "PCA-KD VGG",
    "pcakd_vgg+gif": "PCA-KD VGG + guided filter",
    "pcakd_mobilenet": "PCA-KD MobileNet",
    "pcakd_mobilenet+gif": "PCA-KD MobileNet + guided filter",
}
_COLUMNS = {RIVAL: "MKL", _NAMES["pcakd_vgg+gif"]: "PCA-KD + guided filter", FINAL: "ours"}
"""Of the contact sheet, after content and style."""


@dataclass(frozen=True)
class Method:
    """Makes a result, RGB float32 of the content's shape, of a pair; ``runs`` where that is work, not a file."""

    make: Callable[[Pair], Picture]
    runs: bool = True

    def result(self, pair: Pair) -> Result:
        """The result and the CPU time of all threads that it took."""
        began = time.process_time()
        picture = self.make(pair)
        return Result(picture, time.process_time() - began if self.runs else None)


def own_methods(engine: Engine, size: int) -> dict[str, Method]:
    """The release: the DNN's own output, and what users see."""
    stylizer = LocalStylizer(engine)

    def raw(pair: Pair) -> Picture:
        return real(engine.stylize(codes(pair.content), engine.encode_style(codes(pair.style))))

    def final(pair: Pair) -> Picture:
        return real(stylize_picture(codes(pair.content), Style.of_photo(codes(pair.style)), stylizer, size))

    # What only a session's first run costs must not be the first pair's.
    grey = np.full((64, 64, 3), 0.5, np.float32)
    raw(Pair("", grey, grey))
    return {RAW: Method(raw), FINAL: Method(final)}


def anchor_methods() -> dict[str, Method]:
    """Classic colour transfer."""

    def method(anchor: Anchor) -> Method:
        return Method(lambda pair: anchor(pair.content, pair.style))

    return {name: method(anchor) for name, anchor in ANCHORS.items()}


def folder_methods(folders: dict[str, Path]) -> dict[str, Method]:
    """Other methods' results by name, a file a pair; raises InputError where a folder is missing."""

    def method(folder: Path) -> Method:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; give one with a result <id>.png for every pair")
        return Method(lambda pair: read_result(folder, pair), runs=False)

    return {name: method(folder) for name, folder in folders.items()}


def anchor_folders(data: Path) -> dict[str, Path]:
    """Every folder of ``anchor_results`` by its name in tables, in order; none where there is no such folder."""
    found = sorted(path for path in (data / "anchor_results").glob("*") if path.is_dir())
    return {_NAMES.get(path.name, path.name): path for path in found}


def measure(pairs: Path, to: Path, methods: dict[str, Method], features: Features | None, size: int) -> ByPair:
    """Run all methods on all pairs, write our pictures and the sheet; the scores by pair, none without ``features``.

    Raises:
        InputError: there are no pairs in the folder, or a result is missing.
    """
    sheet, scores = PairSheet(), ByPair()
    for name in pair_names(pairs):
        pair = read_pair(pairs, name, size)
        results = {method: how.result(pair) for method, how in methods.items()}
        _write_own(to, name, results)
        sheet.add(name, _columns(pair, results))
        if features is not None:
            scores[name] = score_all(results, pair, features)
        print(f"{name} done", file=sys.stderr)
    sheet.write(to / "sheet.jpg")
    return scores


def _write_own(to: Path, name: str, results: dict[str, Result]) -> None:
    for folder, method in ((to / "raw", RAW), (to / "final", FINAL)):
        folder.mkdir(parents=True, exist_ok=True)
        write_picture(folder / f"{name}.png", codes(results[method].picture), overwrite=True)


def _columns(pair: Pair, results: dict[str, Result]) -> dict[str, NDArray[np.uint8]]:
    """A pair's row of the sheet; columns of methods that there is no result of are left out."""
    shown = {label: results[method].picture for method, label in _COLUMNS.items() if method in results}
    pictures = {"content": pair.content, "style": pair.style} | shown
    return {label: codes(picture) for label, picture in pictures.items()}


def all_methods(engine: Engine, size: int, folders: dict[str, Path]) -> dict[str, Method]:
    """The rows of the table, in order.

    Raises:
        InputError: a folder is missing.
        UsageError: a folder has the name of another row.
    """
    anchors, own = anchor_methods(), own_methods(engine, size)
    if taken := folders.keys() & (anchors.keys() | own.keys()):
        raise UsageError(f"{min(taken)} is a row of its own; choose another NAME")
    return anchors | folder_methods(folders) | own


def main() -> int:
    """Run it; returns the exit code."""
    options = _parser().parse_args()
    features = teacher_features(options.teacher) if options.scores else None
    folders = anchor_folders(options.data)
    if options.scores and not folders:
        where = options.data / "anchor_results"
        raise InputError(f"{where}: no other methods' results; name another --data, or --no-scores for pictures only")
    engine = Engine(options.release)
    methods = all_methods(engine, options.size, folders | dict(options.others))
    scores = measure(options.data / "pairs", options.to, methods, features, options.size)
    if scores:
        about = f"- release {engine.version}, {len(scores)} pairs of {options.data}, long side {options.size}"
        text = "\n".join([*machine(), about, "", *report(scores)])
        durable.write_text(options.to / "pairs.md", text + "\n", overwrite=True)
        print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("others", nargs="*", type=_named_folder, metavar="NAME=DIR", help="results to compare with too")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    parser.add_argument("--release", type=Path, help="default: the bundled one")
    parser.add_argument("--data", type=Path, default=SHARED, help="has pairs/ and anchor_results/")
    parser.add_argument("--teacher", type=Path, default=TEACHER, help="the 16x proxy's weights (safetensors)")
    parser.add_argument("--size", type=int, default=512, help="long side, default %(default)s")
    parser.add_argument("--no-scores", dest="scores", action="store_false", help="write pictures only")
    return parser


def _named_folder(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=DIR")
    return name, Path(folder)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.pairs: error: {error}")
