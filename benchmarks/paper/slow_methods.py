"""What frames were stylized with before: the paper's network, and an optimization of the pixels; for their time alone.

Weights are random, which time does not depend on.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort

from benchmarks.paper.part import Picture

TIMED_STEPS = 2
"""Of the optimization, after one that does not count."""

Work = Callable[[], object]


def paper_shape(frame: Picture) -> Work:
    """The paper's network (VGG-19 to relu4_1, its mirror, meta-smoothing) on a frame, in ONNX Runtime."""
    session, code = _session()
    feeds = {"frame": _batch(frame), "code": code, "r": np.array(1, np.float32)}
    return lambda: session.run(["stylized"], feeds)


def gatys(frame: Picture, style: Picture) -> Work:
    """``TIMED_STEPS`` steps of Gatys, Ecker & Bethge, "Image Style Transfer Using CNNs", CVPR 2016, on a frame.

    Content at relu4_1, Gram matrices at relu1_1 … relu4_1 of VGG-19, from the frame on, by Adam, in torch.
    """
    import torch

    from mvstylizer.network.encoder import Encoder
    from mvstylizer.network.objective import grams

    torch.manual_seed(0)
    encoder = Encoder("vgg19").requires_grad_(False)
    with torch.no_grad():
        content = encoder(torch.from_numpy(_batch(frame)))[-1]
        photo = np.asarray(cv2.resize(style, frame.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
        wanted = grams(encoder(torch.from_numpy(_batch(photo))))
    pixels = torch.from_numpy(_batch(frame)).requires_grad_()
    optimizer = torch.optim.Adam([pixels], lr=0.02)

    def run(steps: int = TIMED_STEPS) -> None:
        for _ in range(steps):
            features = encoder(pixels)
            loss = (features[-1] - content).square().mean()
            for own, want in zip(grams(features), wanted, strict=True):
                loss = loss + (own - want).square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    run(1)
    return run


@lru_cache(maxsize=1)
def _session() -> tuple[ort.InferenceSession, Any]:
    """The exported network, on all cores as the product's engine, and a style code for it."""
    import torch

    from export.graphs import stylize_graph
    from mvstylizer.network.stylizer import PAPER, Stylizer

    torch.manual_seed(0)
    stylizer = Stylizer(PAPER)
    options = ort.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    session = ort.InferenceSession(stylize_graph(stylizer), options, providers=["CPUExecutionProvider"])
    return session, np.zeros((1, stylizer.code_size), np.float32)


def _batch(picture: Picture) -> np.ndarray[Any, np.dtype[np.float32]]:
    """``(1, 3, H, W)`` in 0..1."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255))
