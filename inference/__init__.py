"""The edge: an HTTP service that stylizes key frames, and the client that a device reaches it with."""

MODEL = "stylizer"
"""Name of the model that an edge runs, in the paths of the Open Inference Protocol."""
