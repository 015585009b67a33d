"""Writes tests/fixtures/tiny: a network of the reference's kind, small enough to commit.

Conv 3x3 with ReLU, dense layer, softmax and the evidence map, on 3x8x8, with seeded weights that are
multiples of 1/64. The golden probability is NumPy's own. Run from anywhere, with the packages of .venv.
"""

import hashlib
import pathlib

import cv2
import numpy as np
import onnx
import openvino as ov
from onnx import TensorProto, helper, numpy_helper
from openvino import opset1

FOLDER = pathlib.Path(__file__).parent / "fixtures" / "tiny"
SIDE, CHANNELS = 8, 4
rng = np.random.default_rng(7)


def weights(*shape, scale):
    return (np.round(rng.normal(0, scale, shape) * 64) / 64).astype(np.float32)


kernel = weights(CHANNELS, 3, 3, 3, scale=0.3)
kernel_bias = weights(CHANNELS, scale=0.3)
dense = weights(2, CHANNELS * SIDE * SIDE, scale=0.1)
bias = np.float32([-0.25, 0.125])
evidence = (dense[1] - dense[0]).reshape(1, CHANNELS, SIDE, SIDE)


def forward(x):
    padded = np.pad(x[0].astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    hidden = np.zeros((CHANNELS, SIDE, SIDE))
    for row in range(SIDE):
        for column in range(SIDE):
            window = padded[:, row : row + 3, column : column + 3]
            hidden[:, row, column] = (kernel * window).sum(axis=(1, 2, 3)) + kernel_bias
    hidden = np.maximum(hidden, 0)
    logits = dense @ hidden.reshape(-1) + bias
    return 1 / (1 + np.exp(logits[0] - logits[1]))


def write_ir():
    x = opset1.parameter([1, 3, SIDE, SIDE], np.float32, name="input")
    hidden = opset1.convolution(x, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
    hidden = opset1.relu(opset1.add(hidden, kernel_bias.reshape(1, -1, 1, 1)))
    flat = opset1.reshape(hidden, np.int64([1, -1]), False)
    logits = opset1.add(opset1.matmul(flat, dense, False, True), bias.reshape(1, 2))
    probability = opset1.softmax(logits, 1)
    contribution = opset1.multiply(hidden, evidence)
    summed = opset1.reduce_sum(contribution, np.int64([1]), True)
    probability.output(0).tensor.set_names({"probability"})
    summed.output(0).tensor.set_names({"evidence"})
    ov.serialize(ov.Model([probability, summed], [x], "tiny"), FOLDER / "tiny.xml", FOLDER / "tiny.bin")


def write_onnx():
    constants = {"kernel": kernel, "kernel_bias": kernel_bias, "dense": dense.T.copy(), "bias": bias,
                 "weights": evidence, "flat": np.int64([1, -1]), "axis": np.int64([1])}
    nodes = [
        # rten wants strides and dilations stated, although the standard has defaults for them.
        helper.make_node("Conv", ["input", "kernel", "kernel_bias"], ["c"],
                         pads=[1, 1, 1, 1], strides=[1, 1], dilations=[1, 1]),
        helper.make_node("Relu", ["c"], ["hidden"]),
        helper.make_node("Reshape", ["hidden", "flat"], ["f"]),
        helper.make_node("Gemm", ["f", "dense", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probability"], axis=1),
        helper.make_node("Mul", ["hidden", "weights"], ["m"]),
        helper.make_node("ReduceSum", ["m", "axis"], ["evidence"], keepdims=1),
    ]
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        nodes, "tiny", [value("input", [1, 3, SIDE, SIDE])],
        [value("probability", [1, 2]), value("evidence", [1, 1, SIDE, SIDE])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    (FOLDER / "tiny.onnx").write_bytes(model.SerializeToString())


def entry(name):
    digest = hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()
    return f'{{ path = "{name}", sha256 = "{digest}" }}'


FOLDER.mkdir(parents=True, exist_ok=True)
write_ir()
write_onnx()

# Twice the network's side: every output pixel is the mean of four.
rgb = rng.integers(0, 256, (2 * SIDE, 2 * SIDE, 3), dtype=np.uint8)
cv2.imwrite(str(FOLDER / "golden.png"), rgb[..., ::-1])
small = cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
x = (small.astype(np.float32) / 255 - 0.5) / 0.25
probability = forward(x.transpose(2, 0, 1)[None])

(FOLDER / "manifest.toml").write_text(f"""\
format_version = 1
name = "tiny"
version = "1.0.0"
architecture = "conv3x3x4-dense2"
trained_on = "Nothing: its weights are random."
intended_use = "Tests of the engines."
license = "MIT"
demo = true
golden = [{{ image = {entry("golden.png")}, probability = {probability:.7f}, tolerance = 0.0001 }}]

[labels]
negative = "tails"
positive = "heads"
positive_index = 1

[input]
width = {SIDE}
height = {SIDE}
channels = "rgb"
layout = "nchw"
resize = "area"
scale = 0.003921569
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]

[outputs]
probability = "probability"
evidence = "evidence"

[decision]
threshold = 0.5
inconclusive = [0.4, 0.6]
temperature = 1.0

[evaluation]
dataset = "none"
protocol = "none"
positives = 0
negatives = 0

[evaluation.figures]

[files]
ir_xml = {entry("tiny.xml")}
ir_bin = {entry("tiny.bin")}
onnx = {entry("tiny.onnx")}
""")
print(f"golden probability {probability:.7f}")
