"""Figures of a photograph of a blood smear, real or drawn: light, noise, sharpness, stain, and sizes of its cells.

A picture is an array of 8-bit RGB samples. Boxes are `[left, top, width, height]` in pixels.
"""

import cv2
import numpy

RED_CELL_UM = 7.2
"""Diameter of a normal red cell, which serves as the ruler."""


def background(picture):
    """The level of the empty slide in each channel: the median of the brighter side of Otsu's threshold on green."""
    green = picture[..., 1]
    threshold, _ = cv2.threshold(green, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    empty = green > threshold
    return numpy.median(picture[empty], axis=0), empty


def density(picture, light):
    """Optical density (decadic) of each sample against the level of the empty slide."""
    return -numpy.log10(numpy.maximum(picture, 1) / numpy.maximum(light, 1))


def stain_vectors(densities, least=0.15, percentile=1):
    """The two stains of a smear as unit vectors of optical density, the bluer first (Macenko et al. 2009, "A method for
    normalizing histology slides for quantitative analysis"). None if too little is stained."""
    stained = densities.reshape(-1, 3)
    stained = stained[stained.max(axis=1) > least]
    if len(stained) < 100:
        return None
    stained = stained[::max(len(stained) // 20000, 1)]
    _, vectors = numpy.linalg.eigh(numpy.cov(stained.T))
    plane = vectors[:, 1:] * numpy.sign(vectors[:, 1:].sum(axis=0))
    projected = stained @ plane
    angles = numpy.arctan2(projected[:, 0], projected[:, 1])
    extremes = numpy.percentile(angles, [percentile, 100 - percentile])
    pair = [plane @ numpy.array([numpy.sin(angle), numpy.cos(angle)]) for angle in extremes]
    pair = [numpy.clip(vector, 0, None) / numpy.linalg.norm(numpy.clip(vector, 0, None)) for vector in pair]
    return sorted(pair, key=lambda vector: -vector[0])


def noise(picture, empty):
    """Standard deviation of the noise on the empty slide, in 8-bit levels of green (Immerkær 1996, "Fast noise variance
    estimation", with a median instead of the mean)."""
    kernel = numpy.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=numpy.float32)
    response = cv2.filter2D(picture[..., 1].astype(numpy.float32), -1, kernel)
    flat = cv2.erode(empty.astype(numpy.uint8), numpy.ones((5, 5), numpy.uint8)) > 0
    if flat.sum() < 50:
        return None
    return float(numpy.median(numpy.abs(response[flat])) / (6 * 0.6745))


def shading(picture, empty, blocks=4):
    """How much the light of the empty slide varies from block to block of the picture: standard deviation relative to the
    mean, per channel."""
    levels = []
    height, width = empty.shape
    for row in range(blocks):
        for column in range(blocks):
            part = numpy.s_[row * height // blocks:(row + 1) * height // blocks,
                            column * width // blocks:(column + 1) * width // blocks]
            if empty[part].sum() > 50:
                levels.append(numpy.median(picture[part][empty[part]], axis=0))
    if len(levels) < 3:
        return None
    levels = numpy.array(levels)
    return levels.std(axis=0) / levels.mean(axis=0)


def _spectrum(grey):
    """Power of a picture over frequency: of the gradient, in bins of a hundredth of a cycle per pixel up to 0.5."""
    height, width = grey.shape
    window = numpy.outer(numpy.hanning(height), numpy.hanning(width))
    power = numpy.abs(numpy.fft.rfft2((grey - grey.mean()) * window)) ** 2
    frequency = numpy.hypot(numpy.fft.fftfreq(height)[:, None], numpy.fft.rfftfreq(width)[None])
    bins = numpy.minimum((frequency * 100).astype(int), 50)
    gradient = power * frequency**2
    return numpy.bincount(bins.ravel(), gradient.ravel(), minlength=51)[:50]


def sharpness(picture, um_per_pixel):
    """Common logarithm of the gradient's power between 0.6 and 1.2 cycles per µm against that between 0.15 and 0.6; None
    if the pixels are too wide to say."""
    power = _spectrum(picture.astype(float).mean(axis=2))
    cycles_per_um = (numpy.arange(50) + 0.5) / 100 / um_per_pixel
    if cycles_per_um[-1] < 1.2:
        return None
    fine = power[(cycles_per_um >= 0.6) & (cycles_per_um < 1.2)].sum()
    coarse = power[(cycles_per_um >= 0.15) & (cycles_per_um < 0.6)].sum()
    return float(numpy.log10(fine / coarse))


def pixel_sharpness(picture):
    """Common logarithm of the gradient's power above a quarter of a cycle per pixel against all of it."""
    power = _spectrum(picture.astype(float).mean(axis=2))
    return float(numpy.log10(power[25:].sum() / power.sum()))


def chroma_detail(picture):
    """Standard deviation of neighbouring pixels' difference in Cb and Cr against that in luma: low where the camera or
    JPEG keeps colour at a lower resolution."""
    planes = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb).astype(float)
    luma, red, blue = (numpy.diff(planes[..., plane], axis=1).std() for plane in range(3))
    return float((red + blue) / 2 / max(luma, 1e-6))


def nucleus(densities, box):
    """The pixels of a nucleus in a leukocyte's box: above Otsu's threshold on the green density, the largest part."""
    left, top, width, height = (round(value) for value in box)
    part = densities[max(top, 0):top + height, max(left, 0):left + width]
    if min(part.shape[:2]) < 8:
        return None, None
    scaled = numpy.clip(cv2.GaussianBlur(part[..., 1], (0, 0), 1.0) * 160, 0, 255).astype(numpy.uint8)
    _, mask = cv2.threshold(scaled, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return None, None
    # Lobes may be apart: every part of at least a fifth of the largest counts.
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = 1 + numpy.flatnonzero(areas >= areas.max() / 5)
    return part, numpy.isin(parts, kept)


def of_leukocyte(densities, box, um_per_pixel):
    """Figures of one white cell."""
    part, mask = nucleus(densities, box)
    if mask is None or mask.sum() < 20:
        return {}
    reach = max(round(0.5 / um_per_pixel), 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    shape = mask.astype(numpy.uint8)
    core = cv2.erode(shape, kernel) > 0
    near, far = cv2.dilate(shape, kernel), cv2.dilate(shape, kernel, iterations=3)
    ring = (far > 0) & (near == 0)
    figures = {
        "leukocyte: side of box, µm": float(numpy.sqrt(box[2] * box[3]) * um_per_pixel),
        "nucleus: diameter, µm": float(2 * numpy.sqrt(mask.sum() / numpy.pi) * um_per_pixel),
    }
    if core.sum() >= 20:
        red, green, blue = part[core].mean(axis=0)
        # The mean of the surroundings within the nucleus, so that its edge is no texture.
        inside, width = mask.astype(float), 1.0 / um_per_pixel
        sums, shares = (cv2.GaussianBlur(plane, (0, 0), width) for plane in (part[..., 1] * inside, inside))
        fine = part[..., 1] - sums / numpy.maximum(shares, 1e-6)
        figures |= {
            "nucleus: density in green": float(green),
            "nucleus: red / green density": float(red / green),
            "nucleus: blue / green density": float(blue / green),
            "nucleus: texture within 1 µm, relative": float(fine[core].std() / green),
        }
    if ring.sum() >= 20:
        red, green, blue = numpy.median(part[ring], axis=0)
        figures |= {
            "cytoplasm: density in green": float(green),
            "cytoplasm: red − blue density": float(red - blue),
        }
    return figures


def of_red_cell(densities, centre, diameter):
    """Figures of one red cell; centre and diameter are in pixels."""
    radius = diameter / 2
    x, y = centre
    height, width = densities.shape[:2]
    if not (radius < x < width - radius and radius < y < height - radius):
        return {}
    left, top = int(x - radius), int(y - radius)
    part = densities[top:int(y + radius) + 1, left:int(x + radius) + 1]
    rows, columns = numpy.mgrid[:part.shape[0], :part.shape[1]]
    relative = numpy.hypot(columns + left + 0.5 - x, rows + top + 0.5 - y) / radius
    ring, middle = (relative > 0.55) & (relative < 0.8), relative < 0.3
    if ring.sum() < 8 or middle.sum() < 4:
        return {}
    red, green, blue = numpy.median(part[ring], axis=0)
    if green < 0.02:
        return {}
    return {
        "red cell: density in green": float(green),
        "red cell: red / green density": float(red / green),
        "red cell: blue / green density": float(blue / green),
        "red cell: middle / rim density": float(numpy.median(part[middle][:, 1]) / green),
    }


def of_picture(picture, um_per_pixel):
    """Figures of a whole field, and its optical densities."""
    light, empty = background(picture)
    densities = density(picture, light)
    figures = {
        "background: red": float(light[0]),
        "background: green": float(light[1]),
        "background: blue": float(light[2]),
        "noise, levels": noise(picture, empty),
        "sharpness, 0.6 to 1.2 cycles/µm": sharpness(picture, um_per_pixel),
        "sharpness, above ¼ cycle/pixel": pixel_sharpness(picture),
        "chroma detail / luma detail": chroma_detail(picture),
    }
    shades = shading(picture, empty)
    if shades is not None:
        figures |= {
            "shading: green": float(shades[1]),
            "shading: red and blue against green": float(numpy.abs(shades[[0, 2]] - shades[1]).max()),
        }
    vectors = stain_vectors(densities)
    if vectors is not None:
        for name, vector in zip(("bluer", "redder"), vectors):
            figures |= {
                f"{name} stain: red share": float(vector[0]),
                f"{name} stain: blue share": float(vector[2]),
            }
    return {name: value for name, value in figures.items() if value is not None}, densities
