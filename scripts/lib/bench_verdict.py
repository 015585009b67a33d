"""Image file to verdict: smearscope against Python with OpenCV and OpenVINO's Python API.

Both read the same 2592x1944 JPEG files, with the same model on the same device, and are timed from
the file's name to the probability or count. smearscope also runs its quality gate; the Python peer has none.

    bench_verdict.py BINARY MODEL            prints the comparison; MODEL is `field` or `cells`
    bench_verdict.py --peer MODEL IMAGE...   is the peer: prints one JSON object per line
"""

import json
import os
import statistics
import sys
import tempfile
import time

import cv2

from bench_peer import MODELS, SIZE
from measure import measure, print_table

ROUNDS = 3


def peer(model, paths):
    request = model.request()
    for path in paths:
        start = time.perf_counter()
        answer = model.answer(request, cv2.imread(path, cv2.IMREAD_COLOR))
        elapsed = (time.perf_counter() - start) * 1000
        print(json.dumps({"path": path, "elapsed_ms": elapsed} | answer))


def images(run):
    """The JSON lines about images that a contender printed."""
    lines = [json.loads(line) for line in run.output.splitlines()]
    rows = [line for line in lines if "elapsed_ms" in line]
    if not rows:
        sys.exit(f"bench: no image was classified: {run.output[:300]}")
    return rows


def main(binary, kind):
    model = MODELS[kind]
    with tempfile.TemporaryDirectory() as folder:
        files = model.write_pictures(folder)
        contenders = {
            "smearscope": [binary, "classify", "--json", *model.options()],
            "python": [sys.executable, __file__, "--peer", kind],
        }
        figures, results = {}, []
        for name, command in contenders.items():
            measure(command + files[:1])  # fill the page cache
            cold = statistics.median(measure(command + files[:1]).wall_s for _ in range(ROUNDS))
            runs = [measure(command + files) for _ in range(ROUNDS)]
            results.append([model.result(row) for row in images(runs[0])])
            figures[name] = {
                "file to verdict, median of one image [ms]":
                    statistics.median(row["elapsed_ms"] for run in runs for row in images(run)),
                f"{len(files)} images, whole process [s]": statistics.median(run.wall_s for run in runs),
                "cold start, one image, whole process [s]": cold,
                "peak memory [MiB]": max(run.peak_mib for run in runs),
            }
    print(f"{len(files)} JPEGs of {SIZE[0]}x{SIZE[1]}, {os.cpu_count()} cores; {model.agreement(*results)}")
    print_table(figures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(MODELS[sys.argv[2]](), sys.argv[3:])
    elif len(sys.argv) == 3:
        main(*sys.argv[1:])
    else:
        sys.exit(__doc__)
