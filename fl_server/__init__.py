"""The cloud of federated training: rounds over edges with Flower, a backup of each, the command flower-server."""
