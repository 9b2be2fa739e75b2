"""LLaVA-UHD slicing (the `uhd-v1` preset) and Pillow's bicubic, written from the specification and not from our Rust code,
so that the two can be compared."""

from math import ceil, floor, log, sqrt, trunc

import numpy as np
from PIL import Image


def align(x, a):
    return max(floor(x / a) * a, a)


def fit_area(w, h, side, patch, up):
    """The size of about side² pixels and the same aspect, in whole patches; a smaller picture grows only if `up`."""
    if w * h > side * side or up:
        ratio = w / h
        h = trunc(side / sqrt(ratio))
        w = trunc(h * ratio)
    return align(w, patch), align(h, patch)


def grid(w, h, side, most):
    """(columns, rows), or None for a picture that stays whole."""
    n = min(ceil(w * h / (side * side)), most)
    if n <= 1:
        return None
    candidates = [(c, m // c) for m in (n - 1, n, n + 1) if 2 <= m <= most for c in range(1, m + 1) if m % c == 0]
    return min(candidates, key=lambda g: abs(log(w / h) - log(g[0] / g[1])))


def views(picture, form):
    """u8 [H, W, 3] -> (columns, rows) or (0, 0), and u8 views in prompt order: slices row-major, then the overview."""
    image = Image.fromarray(picture)
    w, h = image.size
    side, patch = form.area_side, form.patch
    resize = lambda size: np.asarray(image.resize(size, Image.Resampling.BICUBIC))
    g = grid(w, h, side, form.max_slices)
    if g is None:
        return (0, 0), [resize(fit_area(w, h, side, patch, True))]
    c, r = g
    sw, sh = fit_area(align(w, c) / c, align(h, r) / r, side, patch, True)
    refined = resize((sw * c, sh * r))
    slices = [refined[y * sh : (y + 1) * sh, x * sw : (x + 1) * sw] for y in range(r) for x in range(c)]
    return g, slices + [resize(fit_area(w, h, side, patch, False))]
