"""What OpenCV makes of the same images. Reads a list of jobs as JSON from standard input.

prepare: image file to input tensor, as the contract says, written as little-endian f32.
encode: image file to JPEGs of every kind in a folder, each beside what OpenCV decodes it to, as PNG.
"""

import json
import pathlib
import sys

import cv2
import numpy as np

from cells_reference import background

FILTERS = {"area": cv2.INTER_AREA, "bilinear": cv2.INTER_LINEAR}


def prepare(image, contract, out):
    pixels = cv2.imread(image, cv2.IMREAD_COLOR)
    size = (contract["width"], contract["height"])
    pixels = cv2.resize(pixels, size, interpolation=FILTERS[contract["resize"]])
    if contract["channels"] == "rgb":
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    pixels = samples(pixels, contract)
    tensor = (pixels.astype(np.float64) * contract["scale"] - contract["mean"]) / contract["std"]
    if contract["layout"] == "nchw":
        tensor = tensor.transpose(2, 0, 1)
    tensor.astype("<f4").tofile(out)


def samples(pixels, contract):
    """What the network sees of the resized image; follows the documentation of relative_density.rs, not its code."""
    colour = contract.get("colour", "rgb")
    if colour == "rgb":
        return pixels
    density = np.clip(background(pixels) - np.log10(pixels.astype(float) + 1), -0.15, 2)
    ordered = np.sort(density.reshape(-1, 3), axis=0)
    strength = ordered[int(np.floor(0.99 * (len(ordered) - 1) + 0.5))]
    relative = np.clip(density / np.maximum(strength, 0.1), -0.5, 2)
    return relative if colour == "density" else np.repeat(relative.mean(axis=2, keepdims=True), 3, axis=2)


def encode(image, folder):
    pixels = cv2.imread(image, cv2.IMREAD_COLOR)
    odd = pixels[:-3, :-5]
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR
    kinds = {
        "420": (pixels, [sampling, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]),
        "422": (pixels, [sampling, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422]),
        "444": (pixels, [sampling, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]),
        "odd": (odd, []),
        "restart": (pixels, [cv2.IMWRITE_JPEG_RST_INTERVAL, 7]),
        "progressive": (odd, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        "optimised": (pixels, [cv2.IMWRITE_JPEG_OPTIMIZE, 1, cv2.IMWRITE_JPEG_QUALITY, 50]),
        "grey": (cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), []),
    }
    for name, (source, options) in kinds.items():
        path = pathlib.Path(folder) / f"{name}.jpg"
        cv2.imwrite(str(path), source, options)
        cv2.imwrite(str(path.with_suffix(".png")), cv2.imread(str(path), cv2.IMREAD_COLOR))


for job in json.load(sys.stdin):
    globals()[job.pop("do")](**job)
