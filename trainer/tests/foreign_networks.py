"""Networks of other programs: IRs and ONNX files in the folder that standard input names.

All compute the same: 20 × the mean of the first channel, whose values are 0 to 1, minus 10 are the log-odds of the
second class.
"""

import re
import sys
from pathlib import Path

import numpy as np
import onnx
import openvino as ov
from onnx import TensorProto, helper, numpy_helper
from openvino import opset8 as op

WEIGHT = np.array([[0, 20], [0, 0], [0, 0]], dtype=np.float32)
BIAS = np.array([[0, -10]], dtype=np.float32)


def ir(folder, name, shape, element=np.float32, softmax=True, axes=(2, 3), more=False):
    image = op.parameter(shape, element, name="their,image")
    values = image if element == np.float32 else op.convert(image, "f32")
    if element == np.uint8:
        values = op.multiply(values, op.constant(np.float32(1 / 255)))
    mean = op.reduce_mean(values, op.constant(np.array(axes, dtype=np.int64)), False)
    output = op.add(op.matmul(mean, op.constant(WEIGHT), False, False), op.constant(BIAS))
    if softmax:
        output = op.softmax(output, 1)
        output.output(0).get_tensor().set_names({"their,softmax"})
    if element == np.float16:
        output = op.convert(output, "f16")
    outputs = [mean, output] if more else [output]
    ov.save_model(ov.Model(outputs, [image], name), folder / f"{name}.xml", compress_to_fp16=False)


def unnamed(folder, name):
    """Removes the names of all tensors, as older versions wrote networks that were converted from PyTorch."""
    path = folder / f"{name}.xml"
    path.write_text(re.sub(r' (output_)?names="[^"]*"', "", path.read_text()))


def onnx_file(folder, name, shape, element=TensorProto.FLOAT, softmax=True):
    nodes = []
    values = "image"
    if element != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", [values], ["cast"], to=TensorProto.FLOAT))
        values = "cast"
    if element == TensorProto.UINT8:
        nodes.append(helper.make_node("Div", [values, "white"], ["divided"]))
        values = "divided"
    nodes += [
        helper.make_node("GlobalAveragePool", [values], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"]),
    ]
    output = "logits"
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["probability"], axis=1))
        output = "probability"
    constants = {"weight": WEIGHT, "bias": BIAS, "white": np.float32(255)}
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("image", element, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, folder / f"{name}.onnx")


folder = Path(sys.stdin.read())
ir(folder, "named", [1, 3, 40, 40])
ir(folder, "unnamed", [1, 3, 40, 40])
unnamed(folder, "unnamed")
ir(folder, "dynamic", [-1, 3, -1, -1])
ir(folder, "unknown", [-1, -1, -1, -1], axes=(1, 2))
ir(folder, "bytes", [1, 3, 40, 40], np.uint8)
ir(folder, "half", [-1, 3, 40, 40], np.float16)
ir(folder, "logits", [1, 3, 40, 40], softmax=False)
ir(folder, "several", [1, 3, 40, 40], more=True)
onnx_file(folder, "dynamic", ["batch", 3, "height", "width"])
onnx_file(folder, "bytes", [1, 3, 40, 40], TensorProto.UINT8)
onnx_file(folder, "half", [1, 3, 40, 40], TensorProto.FLOAT16, softmax=False)
