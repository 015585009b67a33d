"""What OpenVINO and ONNX Runtime compute of exported networks, as JSON from and to standard streams.

The input is a list of networks: path (.xml or .onnx), shape and values of the input, and the names of outputs. The
answer has the values of the outputs of each, one after the other. ONNX files are checked before.
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime
import openvino

core = openvino.Core()
# The runtime would else use whatever precision it finds fastest.
core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def run(network):
    image = np.array(network["input"], np.float32).reshape(network["shape"])
    path, names = network["path"], network["outputs"]
    if path.endswith(".xml"):
        results = core.compile_model(path, "CPU")(image)
        outputs = [results[name] for name in names]
    else:
        onnx.checker.check_model(onnx.load(path), full_check=True)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        outputs = session.run(names, {"image": image})
    return [float(value) for output in outputs for value in np.ravel(output)]


print(json.dumps([run(network) for network in json.load(sys.stdin)]))
