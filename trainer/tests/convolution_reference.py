"""Convolution and its gradients by SciPy in double precision; cases come as JSON on standard input."""

import json
import sys

import numpy as np
from scipy.signal import convolve, correlate


def spread(values, stride):
    """The values `stride` apart, with zeros between."""
    rows, columns = values.shape
    wide = np.zeros(((rows - 1) * stride + 1, (columns - 1) * stride + 1))
    wide[::stride, ::stride] = values
    return wide


def judge(case):
    x, kernel, bias, pull = (np.array(case[name]["values"], float).reshape(case[name]["shape"])
                             for name in ["input", "kernel", "bias", "pull"])
    stride, padding = case["stride"], case["padding"]
    padded = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    sums = np.array([[
        sum(correlate(channel, weights, "valid") for channel, weights in zip(image, filter))[::stride, ::stride] + b
        for filter, b in zip(kernel, bias)] for image in padded])
    output = np.maximum(sums, 0) if case["relu"] else sums
    # Of the sum of output times pull.
    g = pull * (sums > 0) if case["relu"] else pull
    dx, dkernel = np.zeros_like(padded), np.zeros_like(kernel)
    for n, image in enumerate(padded):
        for f, filter in enumerate(kernel):
            wide = spread(g[n, f], stride)
            rows, columns = (a + b - 1 for a, b in zip(wide.shape, filter.shape[1:]))
            for c, weights in enumerate(filter):
                dx[n, c, :rows, :columns] += convolve(wide, weights, "full")
                dkernel[f, c] += correlate(image[c, :rows, :columns], wide, "valid")
    height, width = x.shape[2:]
    dx = dx[:, :, padding:padding + height, padding:padding + width]
    results = [output, dx, dkernel, g.sum((0, 2, 3))]
    return [result.ravel().tolist() for result in results]


print(json.dumps([judge(case) for case in json.load(sys.stdin)]))
