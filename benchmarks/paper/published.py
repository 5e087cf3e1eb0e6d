"""The figures that the paper prints, by its four frame sizes: 512x256, 768x384, 1024x512, 1920x1080."""

TABLE1 = {
    "Luan et al. (optimization)": (186.52, 380.82, 650.45, 1000.0),
    "Li et al. (WCT and smoothing)": (2.95, 7.05, 13.16, 38.72),
    "MVStylizer": (0.52, 0.73, 0.99, 1.51),
}
"""Seconds a frame on a TITAN X; the last of the first is a lower bound."""
TABLE2_INTERPOLATION = (0.0006, 0.002, 0.006, 0.02)
"""Seconds an intermediate frame on a phone, flow not counted; §4.5's text says 0.00006 for the first, which does not
agree with the speedup of 866.7 that it gives for it."""
TABLE2_SPEEDUP = (866.7, 365.0, 165.0, 75.5)
TABLE3 = {"Li et al.": (129.54, 168.71), "MVStylizer": (135.20, 164.23)}
"""Inception score, FID."""
TABLE4 = (0.9845, 0.9841, 0.9847, 0.9849)
"""MS-SSIM to the DNN; how far from a key frame is not said, Figure 6 shows the frame after one."""
TABLE5 = {
    "edge (New York)": (0.003, 0.006, 0.011, 0.031),
    "cloud (Los Angeles)": (0.028, 0.058, 0.105, 0.318),
    "cloud (Hong Kong)": (0.088, 0.176, 0.312, 0.925),
}
"""Seconds until a key frame has arrived."""
FIGURE7 = {1: 40_000, 2: 32_000, 4: 12_000}
"""Images on each edge until the loss is 0.0748, by edges."""
