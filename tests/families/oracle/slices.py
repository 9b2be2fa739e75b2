"""How MiniCPM-V 2.5 to 4.5 cut a picture, after the image processor that is published beside their weights."""

import math

import numpy as np
from PIL import Image

PATCH = 14


def aligned(length, step):
    return max(round(length / step) * step, step)


def best_size(width, height, side, enlarge):
    """Of about side² pixels; smaller pictures keep their size unless `enlarge`."""
    if width * height > side * side or enlarge:
        ratio = width / height
        height = int(side / math.sqrt(ratio))
        width = int(height * ratio)
    return aligned(width, PATCH), aligned(height, PATCH)


def best_grid(width, height, side, most):
    """(columns, rows), or None for a picture that is not cut."""
    ideal = min(math.ceil(width * height / (side * side)), most)
    if ideal <= 1:
        return None
    grids = [(columns, count // columns) for count in (ideal - 1, ideal, ideal + 1) if 1 < count <= most
             for columns in range(1, count + 1) if count % columns == 0]
    return min(grids, key=lambda grid: abs(math.log(width / height) - math.log(grid[0] / grid[1])))


def views(image, side, most=9):
    """(u8 views, the overview first and the slices row by row; the grid)"""
    width, height = image.size
    grid = best_grid(width, height, side, most)
    overview = image.resize(best_size(width, height, side, grid is None), Image.Resampling.BICUBIC)
    if grid is None:
        return [np.array(overview)], None
    columns, rows = grid
    w, h = best_size(aligned(width, columns) / columns, aligned(height, rows) / rows, side, True)
    refined = np.array(image.resize((w * columns, h * rows), Image.Resampling.BICUBIC))
    cut = [refined[r * h : r * h + h, c * w : c * w + w] for r in range(rows) for c in range(columns)]
    return [np.array(overview), *cut], grid
