"""Image file to verdict: smearscope against Python with OpenCV and OpenVINO's Python API.

Both read the same 2592x1944 JPEG files, with the same model on the same device, and are timed from
the file's name to the probability. smearscope also runs its quality gate; the Python peer has none.

    bench_verdict.py BINARY        prints the comparison
    bench_verdict.py --peer MODEL IMAGE...   is the peer: prints one JSON object per line
"""

import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

import cv2

from bench_peer import MODEL, SIZE, Network, enlarged
from measure import measure, print_table

ROUNDS = 3


def peer(model_dir, paths):
    network = Network(model_dir)
    request = network.request()
    for path in paths:
        start = time.perf_counter()
        probability = network.probability(request, cv2.imread(path, cv2.IMREAD_COLOR))
        elapsed = (time.perf_counter() - start) * 1000
        print(json.dumps({"path": path, "probability": probability, "elapsed_ms": elapsed}))


def images(run):
    """The JSON lines about images that a contender printed."""
    lines = [json.loads(line) for line in run.output.splitlines()]
    rows = [line for line in lines if "elapsed_ms" in line]
    if not rows:
        sys.exit(f"bench: no image was classified: {run.output[:300]}")
    return rows


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
            cold = statistics.median(measure(command + files[:1]).wall_s for _ in range(ROUNDS))
            runs = [measure(command + files) for _ in range(ROUNDS)]
            figures[name] = {
                "file to verdict, median of one image [ms]":
                    statistics.median(row["elapsed_ms"] for run in runs for row in images(run)),
                f"{len(files)} images, whole process [s]": statistics.median(run.wall_s for run in runs),
                "cold start, one image, whole process [s]": cold,
                "peak memory [MiB]": max(run.peak_mib for run in runs),
            }
    print(f"{len(files)} JPEGs of {SIZE[0]}x{SIZE[1]}, {os.cpu_count()} cores")
    print_table(figures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(pathlib.Path(sys.argv[2]), sys.argv[3:])
    elif len(sys.argv) == 2:
        main(sys.argv[1])
    else:
        sys.exit(__doc__)
