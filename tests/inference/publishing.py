"""Publishes the releases ``argv[2:]`` into the store ``argv[1]``, one after the other for ever, until it is killed.

Tells of each that is done.
"""

import sys
from itertools import cycle
from pathlib import Path

from inference.model_store import ModelStore

if __name__ == "__main__":
    store = ModelStore(Path(sys.argv[1]))
    for release in cycle(sys.argv[2:]):
        version = store.publish(Path(release))
        store.point_at(version)
        store.prune(1)
        print(version, flush=True)
