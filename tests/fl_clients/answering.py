"""Answers a train message in a process that has imported no torch, and tells what it imported to do so."""

import json
import sys

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from fl_clients.app import app


def answer(settings: str) -> tuple[int, list[str]]:
    """The error's code, and which of the libraries that are slow to import are there."""
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    config = {
        "round": 1, "server-round": 1, "layout": "", "steps": 1, "batch": 1, "crop": 64, "learning-rate": 1e-4,
        "proximal-mu": 0.0,
    }  # fmt: skip
    content = RecordDict(
        {
            "arrays": ArrayRecord({"weights": Array(np.zeros(4, np.float32))}),
            "config": ConfigRecord(config),  # type: ignore[arg-type]
        }
    )
    reply = app(Message(content, 2, "train"), Context(1, 2, json.loads(settings), RecordDict(), {}))
    return reply.error.code, sorted({"torch", "onnx", "onnxruntime", "aiohttp"} & sys.modules.keys())
