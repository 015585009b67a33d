"""Convolution and its gradients by SciPy in double precision; cases come as JSON on standard input."""

import json
import sys

import numpy as np
from scipy import ndimage


def correlate(planes, weights):
    """The sums over all planes where the weights lie within them."""
    sums = ndimage.correlate(planes, weights, mode="constant")
    depth, rows, columns = weights.shape
    inside = [slice(side // 2, side // 2 + whole - side + 1) for side, whole in
              zip((rows, columns), planes.shape[1:])]
    return sums[depth // 2][tuple(inside)]


def spread(planes, stride):
    """The values `stride` apart, with zeros between."""
    depth, rows, columns = planes.shape
    wide = np.zeros((depth, (rows - 1) * stride + 1, (columns - 1) * stride + 1))
    wide[:, ::stride, ::stride] = planes
    return wide


def judge(case):
    x, kernel, bias, pull = (np.array(case[name]["values"], float).reshape(case[name]["shape"])
                             for name in ["input", "kernel", "bias", "pull"])
    stride, padding = case["stride"], case["padding"]
    padded = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    sums = np.array([[correlate(image, weights)[::stride, ::stride] + b for weights, b in zip(kernel, bias)]
                     for image in padded])
    output = np.maximum(sums, 0) if case["relu"] else sums
    # Of the sum of output times pull.
    g = pull * (sums > 0) if case["relu"] else pull
    wide = np.array([spread(planes, stride) for planes in g])
    height, width = wide.shape[2:]
    reach = kernel.shape[2] - 1
    around = np.pad(wide, [(0, 0), (0, 0), (reach, reach), (reach, reach)])
    turned = kernel.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    dx = np.zeros_like(padded)
    dx[:, :, :height + reach, :width + reach] = [[correlate(planes, weights) for weights in turned]
                                                 for planes in around]
    met = padded[:, :, :height + reach, :width + reach].transpose(1, 0, 2, 3)
    dkernel = np.array([[correlate(planes, weights) for planes in met] for weights in wide.transpose(1, 0, 2, 3)])
    height, width = x.shape[2:]
    dx = dx[:, :, padding:padding + height, padding:padding + width]
    results = [output, dx, dkernel, g.sum((0, 2, 3))]
    return [result.ravel().tolist() for result in results]


print(json.dumps([judge(case) for case in json.load(sys.stdin)]))
