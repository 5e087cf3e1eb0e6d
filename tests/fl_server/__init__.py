"""The cloud of federated training."""
