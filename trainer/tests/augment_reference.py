"""What OpenCV and SciPy make of image.png in the folder named on standard input."""

import pathlib
import sys

import cv2
import numpy as np
from scipy import ndimage

folder = pathlib.Path(sys.stdin.read())
image = cv2.imread(str(folder / "image.png"), cv2.IMREAD_COLOR)
height, width = image.shape[:2]
GROUND = (144, 159, 162)


def save(name, pixels):
    if pixels.dtype != np.uint8:
        pixels = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    cv2.imwrite(str(folder / f"{name}.png"), pixels)


def affine(matrix, mode="grid-constant"):
    """Output to input place, as (x, y, 1)."""
    matrix = np.asarray(matrix, np.float64)
    swap = matrix[::-1, [1, 0, 2]]
    planes = [
        ndimage.affine_transform(
            image[..., channel].astype(np.float64), swap[:, :2], swap[:, 2], order=1, mode=mode,
            cval=GROUND[channel])
        for channel in range(3)
    ]
    return np.stack(planes, axis=-1)


def rotation(degrees):
    return cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 0.7)


grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
save("grey", cv2.merge([grey] * 3))
y, u, v = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2YUV))
save("equalised", cv2.cvtColor(cv2.merge([cv2.equalizeHist(y), u, v]), cv2.COLOR_YUV2BGR))
save("down", cv2.flip(image, 0))
save("across", cv2.flip(image, 1))
save("blurred", ndimage.gaussian_filter(image.astype(np.float64), (5.11, 5.11, 0)))
move = np.float32([[1, 0, 84], [0, 1, 56]])
save("translated", cv2.warpAffine(image, move, (width, height), borderValue=GROUND))
save("translated_part", affine([[1, 0, 10.3], [0, 1, -7.45]]))
save("rotated", affine(cv2.invertAffineTransform(rotation(37))))
save("rotated_opencv", cv2.warpAffine(image, rotation(37), (width, height), borderValue=GROUND))
save("sheared", affine([[1, np.tan(0.5), 0], [0, 1, 0]]))
save("mirrored", affine(cv2.invertAffineTransform(rotation(200)), mode="reflect"))
density = -np.log((image[..., ::-1] + 1.0) / 256.0) * [1.2, 0.9, 1.05] + [0.02, -0.03, 0.0]
save("restained", (np.exp(-density) * 256.0 - 1.0)[..., ::-1])
