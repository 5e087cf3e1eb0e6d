"""Checkpoint → release: ONNX graphs that agree with torch, and the manifest that vouches for them."""
