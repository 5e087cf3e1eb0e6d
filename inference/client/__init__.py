"""The device's side: ``EdgeClient`` asks one edge and ``EdgePool`` several, with asyncio; ``EdgeStylizer`` without."""

from inference.client.edge_client import EdgeClient
from inference.client.edge_pool import EdgePool
from inference.client.edge_stylizer import EdgeStylizer

__all__ = ["EdgeClient", "EdgePool", "EdgeStylizer"]
