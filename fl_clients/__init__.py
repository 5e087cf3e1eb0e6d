"""The edge's trainer: a Flower ClientApp, the supervisor of its SuperNode, and what publishes the cloud's rounds."""
