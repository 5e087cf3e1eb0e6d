"""Measures of stylized pictures and frames: how much structure, style and steadiness they keep.

Pictures are RGB float32 ``(H, W, 3)`` in 0..1. Neither torch nor a GPU is needed: what looks through a network takes
the network's feature maps.
"""

from mvstylizer.metrics.colour import ciede2000, delta_e
from mvstylizer.metrics.similarity import luma, ms_ssim, psnr, ssim
from mvstylizer.metrics.structure import canny_ssim, edge_ssim, halo, luma_ssim
from mvstylizer.metrics.style import gram_distance, mean_std_distance, swd

__all__ = [
    "canny_ssim",
    "ciede2000",
    "delta_e",
    "edge_ssim",
    "gram_distance",
    "halo",
    "luma",
    "luma_ssim",
    "mean_std_distance",
    "ms_ssim",
    "psnr",
    "ssim",
    "swd",
]
