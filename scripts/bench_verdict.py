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

import cv2

from bench_peer import MODEL, SIZE, Network, compare, enlarged

ROUNDS = 3


def peer(model_dir, paths):
    network = Network(model_dir)
    request = network.request()
    for path in paths:
        start = time.perf_counter()
        probability = network.probability(request, cv2.imread(path, cv2.IMREAD_COLOR))
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
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, image in enlarged().items():
            files.append(os.path.join(folder, name))
            pathlib.Path(files[-1]).write_bytes(image)
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
    compare(figures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(pathlib.Path(sys.argv[2]), sys.argv[3:])
    elif len(sys.argv) == 2:
        main(sys.argv[1])
    else:
        sys.exit(__doc__)
