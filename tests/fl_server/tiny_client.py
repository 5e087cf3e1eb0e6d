"""A ClientApp without torch: adds ``step`` of its node's configuration to every weight, after ``delay`` seconds."""

import time

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """One round."""
    print("training", flush=True)
    time.sleep(float(context.node_config.get("delay", 0.0)))
    weights = weights_of(message) + np.float32(context.node_config.get("step", 0.001))
    return reply(message, weights, int(context.node_config.get("examples", 2)))


def weights_of(message: Message) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The packed weights in a message."""
    arrays = message.content["arrays"]
    if not isinstance(arrays, ArrayRecord):
        raise TypeError("no arrays")
    return arrays["weights"].numpy()


def reply(
    message: Message, weights: np.ndarray[tuple[int], np.dtype[np.float32]], examples: int, **metrics: float
) -> Message:
    """A reply as edges send it; ``metrics`` replace some."""
    config = message.content["config"]
    if not isinstance(config, ConfigRecord):
        raise TypeError("no config")
    loss = float(np.abs(np.nan_to_num(weights, posinf=1.0, neginf=1.0)).mean())
    values: dict[str, int | float] = {
        "num-examples": examples,
        "loss-before": loss,
        "loss-after": loss,
        "content": 0.5,
        "style": 0.25,
        "seconds": 0.1,
        "round": int(str(config["round"])),
    }
    content = RecordDict()
    content["arrays"] = ArrayRecord({"weights": Array(weights)})
    content["metrics"] = MetricRecord({**values, **metrics})
    return Message(content, reply_to=message)
