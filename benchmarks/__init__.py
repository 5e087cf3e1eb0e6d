"""Measurements, each one command: quality of propagation, speed of the device, the paper's tables."""
