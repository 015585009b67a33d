"""An independent implementation of the chain from a picture to its cells, in NumPy and OpenCV.

make_cells_fixture.py computes golden values with it. It follows the documentation of src/cells, not its code: whole
arrays instead of tiles and buffers.
"""

import cv2
import numpy as np

MEAN, DEVIATION = 0.4, 2 / 3


def surface_terms(rows, columns, height, width):
    x, y = (2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)


def background(image):
    """Decimal logarithm of the light of empty places at each pixel, shape [h, w, 3]."""
    height, width = image.shape[:2]
    level = np.log10(image.astype(float) + 1)
    rows, columns = np.mgrid[0:height, 0:width].astype(float)
    every = surface_terms(rows, columns, height, width)
    surface = np.zeros_like(level)
    edges = lambda side: [block * side // 12 for block in range(13)]
    step = max(1, min(int(np.ceil(np.sqrt(height * width / 65536))), min(height, width) // 48))
    for _ in range(2):
        terms, above = [], []
        for top, bottom in zip(edges(height), edges(height)[1:]):
            for left, right in zip(edges(width), edges(width)[1:]):
                block = (level - surface)[top:bottom:step, left:right:step].reshape(-1, 3)
                if len(block):
                    at = int(np.floor(0.9 * (len(block) - 1) + 0.5))
                    above.append(np.sort(block, axis=0)[at])
                    middle = [np.array((top + bottom - 1) / 2), np.array((left + right - 1) / 2)]
                    terms.append(surface_terms(*middle, height, width))
        terms, above = np.array(terms), np.array(above)
        for channel in range(3):
            weights = np.ones(len(terms))
            for _ in range(15):
                ridge = np.diag([0, *[1e-6 * len(terms)] * 5])
                normal = terms.T @ (weights[:, None] * terms) + ridge
                fit = np.linalg.solve(normal, terms.T @ (weights * above[:, channel]))
                residual = above[:, channel] - terms @ fit
                spread = max(4e-4, np.sort(np.abs(residual))[len(residual) // 2])
                weights = np.where(residual > 0, 1, 0.15 / (1 + (residual / (2 * spread)) ** 2))
            surface[..., channel] += every @ fit
    return surface


def resized(image, height, width):
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def density(image, light):
    """Density in red and green light, shape [2, h, w]; `image` is RGB."""
    depth = np.clip(light - np.log10(image.astype(float) + 1), -0.15, 2)
    return depth[..., :2].transpose(2, 0, 1)


def sample_surface(light, rows, columns, side):
    """The surface at places of the field, by fitting its terms to it: it has no other."""
    height, width = light.shape[:2]
    grid = np.mgrid[0:height, 0:width].astype(float)
    terms = surface_terms(*grid, height, width).reshape(-1, 6)
    fit = np.linalg.lstsq(terms, light.reshape(-1, 3), rcond=None)[0]
    return (surface_terms(rows, columns, height, width) @ fit).reshape(side, side, 3)


def peaks(scores, log_diameters, threshold, stride):
    """Cells as rows of x, y, diameter and score."""
    found = []
    for row, column in np.argwhere(scores >= threshold):
        rows, columns = slice(max(row - 1, 0), row + 2), slice(max(column - 1, 0), column + 2)
        around = scores[rows, columns]
        if scores[row, column] < around.max():
            continue
        ys, xs = np.mgrid[rows.start : rows.start + around.shape[0], columns.start : columns.start + around.shape[1]]
        x, y = ((np.sum((axis + 0.5) * around) / around.sum()) * stride for axis in (xs, ys))
        diameter = np.exp(np.sum(log_diameters[rows, columns] * around) / around.sum())
        found.append((x, y, diameter, scores[row, column]))
    kept = []
    for cell in sorted(found, key=lambda cell: -cell[3]):
        distance = [np.hypot(cell[0] - other[0], cell[1] - other[1]) for other in kept]
        apart = [
            away >= 0.45 * min(cell[2], other[2]) and away >= 0.3 * max(cell[2], other[2])
            for away, other in zip(distance, kept)
        ]
        if all(apart):
            kept.append(cell)
    return np.array(kept).reshape(-1, 4)


def crop(image, light, um_per_pixel, x, y, crop_um, side):
    """Density around a place of the field, shape [2, side, side]."""
    width = int(np.floor(crop_um * side / um_per_pixel + 0.5))
    left, top = (int(np.floor(centre - width / 2 + 0.5)) for centre in (x, y))
    inside = cv2.copyMakeBorder(image, width, width, width, width, cv2.BORDER_CONSTANT)
    part = resized(inside[top + width : top + 2 * width, left + width : left + 2 * width], side, side)
    step = width / side
    rows, columns = np.mgrid[0:side, 0:side]
    rows, columns = top + (rows + 0.5) * step - 0.5, left + (columns + 0.5) * step - 0.5
    planes = density(part, sample_surface(light, rows, columns, side))
    height, field_width = image.shape[:2]
    outside = (rows <= -0.5) | (rows >= height - 0.5) | (columns <= -0.5) | (columns >= field_width - 0.5)
    return np.where(outside, 0, planes)


def cell_input(planes, um_per_pixel):
    """What the cell network sees, shape [side, side]."""
    grey = planes.mean(axis=0)
    side = len(grey)
    rows, columns = np.mgrid[0:side, 0:side] - (side - 1) / 2
    distance = np.hypot(rows, columns) * um_per_pixel
    surroundings = np.sort(grey[distance > 9])
    base = surroundings[int(0.2 * (len(surroundings) - 1))]
    core = np.sort(grey[distance < 3.5])[::-1]
    nucleus = core[: max(1, int(0.3 * len(core)))].mean()
    relative = np.clip((grey - base) / max(nucleus - base, 0.04), -0.5, 2)
    return (relative - MEAN) / DEVIATION
