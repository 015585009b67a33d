"""Image file to verdict: smearscope against Python with OpenCV and OpenVINO's Python API.

Both read the same 2592x1944 JPEG files, with the same model on the same device, and are timed from
the file's name to the probability. smearscope also runs its quality gate; the Python peer has none.

    bench_verdict.py BINARY        prints the comparison
    bench_verdict.py --peer MODEL IMAGE...   is the peer: one JSON object a line
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib

import cv2
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "model-artifacts/smear-demo"
SIZE = (2592, 1944)
ROUNDS = 3


def peer(model_dir, paths):
    import openvino as ov

    manifest = tomllib.loads((model_dir / "manifest.toml").read_text())
    contract = manifest["input"]
    core = ov.Core()
    core.set_property("CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
    network = core.compile_model(core.read_model(model_dir / manifest["files"]["ir_xml"]["path"]), "CPU")
    request = network.create_infer_request()
    positive = manifest["labels"]["positive_index"]
    assert contract["layout"] == "nchw" and contract["resize"] == "area"
    mean = np.array(contract["mean"], np.float32)
    std = np.array(contract["std"], np.float32)
    for path in paths:
        start = time.perf_counter()
        pixels = cv2.imread(path, cv2.IMREAD_COLOR)
        pixels = cv2.resize(pixels, (contract["width"], contract["height"]), interpolation=cv2.INTER_AREA)
        if contract["channels"] == "rgb":
            pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        tensor = (pixels.astype(np.float32) * np.float32(contract["scale"]) - mean) / std
        tensor = np.ascontiguousarray(tensor.transpose(2, 0, 1)[None])
        probability = float(request.infer({0: tensor})["probability"][0, positive])
        elapsed = (time.perf_counter() - start) * 1000
        print(json.dumps({"path": path, "probability": probability, "elapsed_ms": elapsed}))


def measure(command):
    """Runs a command; its JSON lines about images, wall time in s and peak memory in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = [json.loads(line) for line in process.stdout]
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    rows = [line for line in lines if "elapsed_ms" in line]
    if status != 0 or not rows:
        sys.exit(f"bench: {command[0]} failed with status {status}: {lines[:1]}")
    return rows, wall, usage.ru_maxrss / 1024


def main(binary):
    source = ROOT.parent / "shared/data/bccd"
    if not source.is_dir():
        source = ROOT / "hardware/fields"
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for path in sorted(source.glob("*.jpg")):
            large = cv2.resize(cv2.imread(str(path)), SIZE, interpolation=cv2.INTER_CUBIC)
            files.append(os.path.join(folder, path.name))
            cv2.imwrite(files[-1], large, [cv2.IMWRITE_JPEG_QUALITY, 92])
        contenders = {
            "smearscope": [binary, "classify", "--json", "--engine", "openvino", "--model", str(MODEL)],
            "python": [sys.executable, __file__, "--peer", str(MODEL)],
        }
        figures = {}
        for name, command in contenders.items():
            measure(command + files[:1])  # fill the page cache
            cold = statistics.median(measure(command + files[:1])[1] for _ in range(ROUNDS))
            runs = [measure(command + files) for _ in range(ROUNDS)]
            figures[name] = {
                "file to verdict, median of one image [ms]":
                    statistics.median(row["elapsed_ms"] for rows, _, _ in runs for row in rows),
                f"{len(files)} images, whole process [s]": statistics.median(wall for _, wall, _ in runs),
                "cold start, one image, whole process [s]": cold,
                "peak memory [MiB]": max(memory for _, _, memory in runs),
            }
    print(f"{len(files)} JPEGs of {SIZE[0]}x{SIZE[1]}, {os.cpu_count()} cores")
    print(f"{'':46}{'smearscope':>12}{'python':>12}{'ratio':>8}")
    for figure, ours in figures["smearscope"].items():
        theirs = figures["python"][figure]
        print(f"{figure:46}{ours:12.2f}{theirs:12.2f}{ours / theirs:8.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(pathlib.Path(sys.argv[2]), sys.argv[3:])
    elif len(sys.argv) == 2:
        main(sys.argv[1])
    else:
        sys.exit(__doc__)
