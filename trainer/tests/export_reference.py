"""What OpenVINO and ONNX Runtime compute of exported networks, as JSON from and to standard streams."""

import json
import pathlib
import sys

import numpy as np
import onnxruntime
import openvino

request = json.load(sys.stdin)
folder, side = pathlib.Path(request["folder"]), request["side"]
image = np.array(request["input"], np.float32).reshape(1, 3, side, side)

core = openvino.Core()
# The runtime would else use whatever precision it finds fastest.
core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})
answer = {}
for name in ("fp32", "fp16", "int8"):
    network = core.compile_model(folder / f"{name}.xml", "CPU")
    outputs = network(image)
    answer[name] = [float(value) for output in ("probability", "evidence")
                    for value in outputs[output].ravel()]

session = onnxruntime.InferenceSession(folder / "fp32.onnx", providers=["CPUExecutionProvider"])
outputs = session.run(["probability", "evidence"], {"image": image})
answer["onnxruntime"] = [float(value) for output in outputs for value in output.ravel()]
print(json.dumps(answer))
