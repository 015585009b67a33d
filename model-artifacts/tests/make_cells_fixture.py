"""Writes tests/fixtures/cells: the two networks of a model that counts cells, small enough to commit.

The finder is a convolution with stride 4 that takes what is dense in red light for leukocytes, and what is dense in
green light alone for red cells. The cell network is a convolution with the mean of its maps and a dense layer, with
seeded weights that are multiples of 1/64. outputs.json has what NumPy computes for inputs whose element i is
(37 i mod 101) / 101 - 1/2. The golden values are those of cells_reference.py.
Run from anywhere, with the packages of .venv.
"""

import hashlib
import json
import pathlib

import cv2
import numpy as np
import onnx
import openvino as ov
from onnx import TensorProto, helper, numpy_helper
from openvino import opset1

import cells_reference as reference

FOLDER = pathlib.Path(__file__).parent / "fixtures" / "cells"
TILE, STRIDE, FINDER_UM = 32, 4, 0.5
BATCH, CROP, CROP_UM, CHANNELS, CLASSES, TEMPERATURE = 3, 8, 3.0, 4, 3, 1.5
rng = np.random.default_rng(11)


def weights(*shape, scale):
    return (np.round(rng.normal(0, scale, shape) * 64) / 64).astype(np.float32)


# Logits of a leukocyte and of a red cell, and the logarithm of the diameter, from the means of both planes.
finder_kernel = np.empty((3, 2, STRIDE, STRIDE), np.float32)
finder_kernel[:] = np.float32([[8, 0], [-12, 10], [1, 0]])[..., None, None] / STRIDE**2
finder_bias = np.float32([-2, -1.5, np.log(14.4)])
cell_kernel, cell_bias = weights(CHANNELS, 1, 3, 3, scale=0.5), weights(CHANNELS, scale=0.5)
dense, bias = weights(CLASSES, CHANNELS, scale=10), weights(CLASSES, scale=0.5)
# So that the cells of the field below are of different classes.
bias += np.float32([1, 19.9, 0])
# Of the first class against the mean of the others.
evidence = (dense[0] - dense[1:].mean(axis=0)).reshape(1, CHANNELS, 1, 1) / CROP**2


def element(*shape):
    return ((37 * np.arange(np.prod(shape))) % 101 / 101 - 0.5).reshape(shape)


def convolve(x, kernel, bias, stride, pad):
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    side = kernel.shape[2]
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nihwyx,oiyx->nohw", windows, kernel) + bias.reshape(1, -1, 1, 1)


def find(x):
    maps = convolve(x, finder_kernel, finder_bias, STRIDE, 0)
    return {"centres": 1 / (1 + np.exp(-maps[:, :2])), "diameter": maps[:, 2:]}


def look(x):
    hidden = np.maximum(convolve(x, cell_kernel, cell_bias, 1, 1), 0)
    features = hidden.mean(axis=(2, 3))
    odds = np.exp(features @ dense.T + bias)
    return {
        "probability": odds / odds.sum(axis=1, keepdims=True),
        "features": features,
        "evidence": (hidden * evidence).sum(axis=1, keepdims=True),
    }


def write_ir(name, shape, build):
    x = opset1.parameter(shape, np.float32, name="input")
    outputs = build(x)
    for output, node in outputs.items():
        node.output(0).tensor.set_names({output})
        node.friendly_name = output
    ov.serialize(ov.Model(list(outputs.values()), [x], name), FOLDER / f"{name}.xml", FOLDER / f"{name}.bin")


def finder_ir(x):
    maps = opset1.convolution(x, finder_kernel, [STRIDE, STRIDE], [0, 0], [0, 0], [1, 1])
    maps = opset1.add(maps, finder_bias.reshape(1, -1, 1, 1))
    centres, diameter = opset1.variadic_split(maps, np.int64(1), np.int64([2, 1])).outputs()
    # Adding nought gives the output a node of its own.
    return {"centres": opset1.sigmoid(centres), "diameter": opset1.add(diameter, np.float32(0))}


def cell_ir(x):
    hidden = opset1.convolution(x, cell_kernel, [1, 1], [1, 1], [1, 1], [1, 1])
    hidden = opset1.relu(opset1.add(hidden, cell_bias.reshape(1, -1, 1, 1)))
    features = opset1.reduce_mean(hidden, np.int64([2, 3]), False)
    logits = opset1.add(opset1.matmul(features, dense, False, True), bias.reshape(1, -1))
    summed = opset1.reduce_sum(opset1.multiply(hidden, evidence.astype(np.float32)), np.int64([1]), True)
    return {"probability": opset1.softmax(logits, 1), "features": features, "evidence": summed}


def write_onnx(name, shape, nodes, outputs, constants):
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        nodes, name, [value("input", shape)],
        [value(output, array.shape) for output, array in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString())


def entry(name):
    digest = hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()
    return f'{{ path = "{name}", sha256 = "{digest}" }}'


def files(name):
    return "\n".join(f"{key} = {entry(f'{name}.{end}')}" for key, end in [("ir_xml", "xml"), ("ir_bin", "bin"), ("onnx", "onnx")])


FOLDER.mkdir(parents=True, exist_ok=True)
tile, crops = element(1, 2, TILE, TILE), element(BATCH, 1, CROP, CROP)
found, seen = find(tile), look(crops)
write_ir("finder", tile.shape, finder_ir)
write_ir("cell", crops.shape, cell_ir)
# rten wants strides, dilations and pads stated, although the standard has defaults for them.
write_onnx("finder", tile.shape, [
    helper.make_node("Conv", ["input", "kernel", "bias"], ["maps"],
                     pads=[0] * 4, strides=[STRIDE] * 2, dilations=[1, 1]),
    helper.make_node("Split", ["maps", "parts"], ["logits", "diameter"], axis=1),
    helper.make_node("Sigmoid", ["logits"], ["centres"]),
], found, {"kernel": finder_kernel, "bias": finder_bias, "parts": np.int64([2, 1])})
write_onnx("cell", crops.shape, [
    helper.make_node("Conv", ["input", "kernel", "kernel_bias"], ["c"], pads=[1] * 4, strides=[1, 1], dilations=[1, 1]),
    helper.make_node("Relu", ["c"], ["hidden"]),
    helper.make_node("ReduceMean", ["hidden"], ["features"], axes=[2, 3], keepdims=0),
    helper.make_node("Gemm", ["features", "dense", "bias"], ["logits"]),
    helper.make_node("Softmax", ["logits"], ["probability"], axis=1),
    helper.make_node("Mul", ["hidden", "weights"], ["m"]),
    helper.make_node("ReduceSum", ["m", "axis"], ["evidence"], keepdims=1),
], seen, {"kernel": cell_kernel, "kernel_bias": cell_bias, "dense": dense.T.copy(), "bias": bias,
          "weights": evidence.astype(np.float32), "axis": np.int64([1])})
expected = {
    network: {name: {"shape": array.shape, "values": [round(float(value), 7) for value in array.flat]}
              for name, array in outputs.items()}
    for network, outputs in [("finder", found), ("cell", seen)]
}
(FOLDER / "outputs.json").write_text(json.dumps(expected) + "\n")



def draw(width, height, leukocytes, red_cells):
    """A field of 0.25 µm per pixel with bell-shaped cells, as RGB; cells are x, y and the radius of the bell in µm."""
    rows, columns = np.mgrid[0:height, 0:width]
    depth = np.zeros((height, width, 3))
    for cells, colour in [(leukocytes, (0.9, 0.8, 0.3)), (red_cells, (0.05, 0.5, 0.4))]:
        for x, y, radius in cells:
            away = np.hypot(columns - x, rows - y) * 0.25 / radius
            depth += np.exp(-(away**2) / 2)[..., None] * colour
    # The lamp falls off to the right, more so in blue light.
    lamp = np.array([220, 210, 200]) * 10 ** (-np.array([0.05, 0.1, 0.2]) * (columns / width)[..., None])
    return np.round(lamp * 10**-depth + rng.normal(0, 1, depth.shape)).clip(0, 255).astype(np.uint8)


PICTURES = {
    "tile": draw(96, 96, [(50, 44, 3.5)], [(20, 70, 2.5), (75, 78, 2.5), (82, 16, 2.5)]),
    "crop": draw(96, 96, [(48, 48, 3.5)], [(10, 80, 2.5)]),
    "field": draw(256, 192, [(60, 60, 3.2), (180, 50, 4.2), (128, 140, 3.6), (3, 120, 3.6)],
                  [(x, y, 2.5) for x, y in [(100, 30), (30, 20), (220, 100), (200, 160), (60, 165), (90, 100), (240, 20)]]),
}
for name, picture in PICTURES.items():
    cv2.imwrite(str(FOLDER / f"{name}.png"), picture[..., ::-1])


def locate(picture, um_per_pixel):
    light = reference.background(picture)
    height, width = picture.shape[:2]
    columns, rows = (round(side * um_per_pixel / FINDER_UM) for side in (width, height))
    small = reference.resized(picture, rows, columns)
    grid = np.mgrid[0:rows, 0:columns].astype(float)
    scaled = [(grid[0] + 0.5) * height / rows - 0.5, (grid[1] + 0.5) * width / columns - 0.5]
    terms = reference.surface_terms(*np.mgrid[0:height, 0:width].astype(float), height, width).reshape(-1, 6)
    fit = np.linalg.lstsq(terms, light.reshape(-1, 3), rcond=None)[0]
    planes = reference.density(small, reference.surface_terms(*scaled, height, width) @ fit)
    padded = np.pad(planes, ((0, 0), (0, -rows % STRIDE), (0, -columns % STRIDE)))
    maps = find(padded[None])
    cells = [
        reference.peaks(maps["centres"][0, plane], maps["diameter"][0, 0], threshold, STRIDE)
        for plane, threshold in [(0, 0.5), (1, 0.4)]
    ]
    return light, [scale(found, FINDER_UM / um_per_pixel) for found in cells]


def scale(cells, factor):
    return cells * np.array([factor, factor, factor, 1])


def classify(picture, light, um_per_pixel, places):
    inputs = [
        reference.cell_input(reference.crop(picture, light, um_per_pixel, x, y, CROP_UM, CROP), CROP_UM)
        for x, y in places
    ]
    return look(np.array(inputs)[:, None])["probability"]


_, (leukocytes, red_cells) = locate(PICTURES["tile"], 0.25)
golden_finder = (len(leukocytes), len(red_cells))
golden_cell = classify(PICTURES["crop"], reference.background(PICTURES["crop"]), 0.25, [(48, 48)])[0]
light, (leukocytes, _) = locate(PICTURES["field"], 0.25)
seen_cells = classify(PICTURES["field"], light, 0.25, leukocytes[:, :2])
calibrated = seen_cells ** (1 / TEMPERATURE)
calibrated /= calibrated.sum(axis=1, keepdims=True)
calls = calibrated.argmax(axis=1)
counted = calibrated[calls != 2]
print("finder", golden_finder, "cell", golden_cell, "field", leukocytes, calibrated)
number = lambda value: f"{value:.7f}"
golden_chain = sorted((number(value) for value in counted[:, 0]), reverse=True)

(FOLDER / "manifest.toml").write_text(f"""\
format_version = 2
kind = "cells"
name = "cells"
version = "1.0.0"
architecture = "conv4x4x3 and conv3x3x4-dense3"
trained_on = "Nothing: its weights are random."
intended_use = "Tests of the engines."
license = "MIT"
demo = true

[finder]
input = {{ um_per_pixel = {FINDER_UM}, side = {TILE}, margin = 8, stride = {STRIDE} }}
thresholds = {{ leukocytes = 0.5, red_cells = 0.4 }}
outputs = {{ centres = "centres", diameter = "diameter" }}
golden = [{{ image = {entry("tile.png")}, um_per_pixel = 0.25, leukocytes = {golden_finder[0]}, red_cells = {golden_finder[1]} }}]

[finder.files]
{files("finder")}

[cell]
temperature = {TEMPERATURE}
input = {{ um_per_pixel = {CROP_UM}, side = {CROP}, batch = {BATCH} }}
outputs = {{ probability = "probability", features = "features", evidence = "evidence" }}

[[cell.classes]]
name = "lymphoblast"
blast = true
leukocyte = true

[[cell.classes]]
name = "lymphocyte"
blast = false
leukocyte = true

[[cell.classes]]
name = "artefact"
blast = false
leukocyte = false

[cell.novelty]
mean = [[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
factor = [[1.0], [0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]]
limit = [30.0, 30.0, 40.0]

[cell.files]
{files("cell")}

[[cell.golden]]
image = {entry("crop.png")}
um_per_pixel = 0.25
probabilities = [{', '.join(number(value) for value in golden_cell)}]
tolerance = 0.01

[count]
share = 0.05
min_cells = 200
sensitivity = {{ called = 380, of = 400 }}
false_positives = {{ called = 40, of = 4000 }}

[ruler]
red_cell_um = 7.2
min_cells = 20
max_spread = 0.25

[figures]
intercept = 0.5
weights = {{ nucleus_um = 0.05, roundness = -1.0 }}

[[golden]]
image = {entry("field.png")}
um_per_pixel = 0.25
cells = {len(counted)}
blasts = {(calls == 0).sum()}
probabilities = [{', '.join(golden_chain)}]
tolerance = 0.01

[evaluation]
dataset = "none"
protocol = "none"
positives = 0
negatives = 0

[evaluation.figures]
""")
