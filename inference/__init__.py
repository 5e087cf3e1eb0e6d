"""The edge: an HTTP service that stylizes key frames, and the client that a device reaches it with."""
