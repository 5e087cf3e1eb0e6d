"""Ablations: what each box of the method brings, with the others as they are.

``ablation_networks`` trains variants of the stylizer alike, ``ablation_propagation`` exchanges the estimator of optical
flow and the way of propagation, ``ablation_key_frames`` the choice of key frames.
"""

from benchmarks.paper import ablation_key_frames, ablation_propagation
from benchmarks.paper.part import Comparison, Context, Report


def measure(context: Context) -> Report:
    """All sections on one page."""
    lines, summary = _networks(context)
    for section in (ablation_propagation.flows, ablation_propagation.ways_compared, ablation_key_frames.selectors):
        more_lines, more_summary = section(context)
        lines += ["", *more_lines]
        summary += more_summary
    return Report("Ablations", lines, summary=summary)


def _networks(context: Context) -> tuple[list[str], list[Comparison]]:
    try:
        from benchmarks.paper import ablation_networks
    except ImportError as error:
        return ["## Networks", "", f"Not measured: needs {error.name}, `pip install 'mvstylizer[train]'`."], []
    return ablation_networks.networks(context)
