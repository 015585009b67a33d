"""What the comparisons with Python share: the model as OpenCV and OpenVINO's API run it, and the images."""

import os
import pathlib
import tomllib

import cv2
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MODEL = ROOT / "model-artifacts/smear-demo"
SIZE = (2592, 1944)


class Network:
    """A model folder's network. Each of its requests runs one image at a time."""

    def __init__(self, folder):
        import openvino as ov

        manifest = tomllib.loads((folder / "manifest.toml").read_text())
        self.contract = manifest["input"]
        assert self.contract["layout"] == "nchw" and self.contract["resize"] == "area"
        self.mean = np.array(self.contract["mean"], np.float32)
        self.std = np.array(self.contract["std"], np.float32)
        self.positive = manifest["labels"]["positive_index"]
        core = ov.Core()
        core.set_property("CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
        self.compiled = core.compile_model(core.read_model(folder / manifest["files"]["ir_xml"]["path"]), "CPU")

    def request(self):
        return self.compiled.create_infer_request()

    def probability(self, request, pixels):
        """The probability of the positive class, for an image as OpenCV reads it."""
        contract = self.contract
        pixels = cv2.resize(pixels, (contract["width"], contract["height"]), interpolation=cv2.INTER_AREA)
        if contract["channels"] == "rgb":
            pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        tensor = (pixels.astype(np.float32) * np.float32(contract["scale"]) - self.mean) / self.std
        tensor = np.ascontiguousarray(tensor.transpose(2, 0, 1)[None])
        return float(request.infer({0: tensor})["probability"][0, self.positive])


def source():
    """Real micrographs if SMEARSCOPE_MICROGRAPHS names them, else the shipped fields."""
    micrographs = os.environ.get("SMEARSCOPE_MICROGRAPHS")
    return pathlib.Path(micrographs, "bccd") if micrographs else ROOT / "hardware/fields"


def enlarged():
    """The images of the source, enlarged to the size of a camera's, as JPEG files by name."""
    images = {}
    for path in sorted(source().glob("*.jpg")):
        large = cv2.resize(cv2.imread(str(path)), SIZE, interpolation=cv2.INTER_CUBIC)
        images[path.name] = cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
    return images
