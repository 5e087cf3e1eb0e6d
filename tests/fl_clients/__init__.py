"""Tests of the edge's trainer."""

import warnings

with warnings.catch_warnings():
    # Flower's imports use what its own dependencies have deprecated; what it warns of later still fails a test.
    warnings.simplefilter("ignore", DeprecationWarning)
    import flwr.app
    import flwr.clientapp

__all__ = ["flwr"]
