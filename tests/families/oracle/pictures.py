"""Pictures that are a formula, so that none are stored: the test in Rust computes the same integers."""

import numpy as np
from PIL import Image


def picture(width, height, seed):
    """u8 RGB; channel c at (x, y) is ((7x + 13y + 53c + (xy >> 5) + 31·seed) ^ ((x >> 3)(y >> 2)·5)) & 255 over u32."""
    x = np.arange(width, dtype=np.uint32)[None, :, None]
    y = np.arange(height, dtype=np.uint32)[:, None, None]
    c = np.arange(3, dtype=np.uint32)
    smooth = x * 7 + y * 13 + c * 53 + ((x * y) >> 5) + np.uint32(seed * 31)
    return Image.fromarray(((smooth ^ ((x >> 3) * (y >> 2) * 5)) & 255).astype(np.uint8))
