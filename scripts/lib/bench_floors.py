"""A press to its verdict on the simulated bench, against the sum of what it cannot do without.

These floors are measured after each press, for the same 2592x1944 JPEG file:

- capture: the file is read
- preparation: libjpeg-turbo decodes it, at the size that smearscope needs; smearscope also runs its quality gate
- inference: OpenVINO runs each network, as often as the picture needs, on inputs that are in memory
- storing: the file is written and synced
- rest: a row is written and synced

There is no floor for screen and LEDs: those of the simulated bench are in memory, and nothing waits for them.

    bench_floors.py BINARY MODEL     prints the comparison; MODEL is `field` or `cells`
"""

import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

import cv2
import numpy as np

from bench_peer import MODELS, ROOT, SIZE, compiled
from bench_press import press
from bench_server import appliance
from bench_verdict import images
from measure import measure, print_table

# Slides, each of all pictures.
ROUNDS = 5
STAGES = ("capture", "preparation", "inference", "storing")


def timed(work):
    """The result of a function, and the milliseconds that it took."""
    start = time.perf_counter()
    result = work()
    return result, (time.perf_counter() - start) * 1000


class Network:
    """A network that is ready to run, with an input in memory."""

    def __init__(self, file):
        network = compiled(file, "LATENCY")
        self.request = network.create_infer_request()
        self.tensor = {0: np.zeros(network.input(0).shape, np.float32)}

    def run(self, times):
        """Milliseconds that OpenVINO takes for so many runs, after one to warm up."""
        latencies = []
        for _ in range(times + 1):
            self.request.infer(self.tensor)
            latencies.append(self.request.latency)
        return sum(latencies[1:])


def write(path, contents):
    with open(path, "wb") as file:
        file.write(contents)
        file.flush()
        os.fsync(file.fileno())


def floors(model, networks, path, answer, folder):
    """The floor of each stage for a picture and its answer, in milliseconds."""
    encoded, capture = timed(pathlib.Path(path).read_bytes)
    _, preparation = timed(lambda: cv2.imdecode(np.frombuffer(encoded, np.uint8), model.DECODED))
    inference = sum(networks[file].run(times) for file, times in model.runs(answer).items())
    _, storing = timed(lambda: write(folder / "image", encoded))
    _, rest = timed(lambda: write(folder / "row", json.dumps(answer).encode()))
    return dict(zip(STAGES, (capture, preparation, inference, storing))) | {"rest": rest}


def next_slide(server):
    """Closes the slide."""
    server.process.stdin.write("long\n")
    server.process.stdin.flush()
    while " closed: " not in server.lines.get():
        pass


def stages(records, presses):
    """The time of each stage of presses, as recorded, and the rest of a press, in milliseconds."""
    figures = []
    for record, elapsed in zip(records, presses, strict=True):
        times = {stage: record["elapsed_ms"][stage] for stage in STAGES}
        figures.append(times | {"rest": elapsed - sum(times.values())})
    return figures


def medians(figures):
    """The median of each stage, and that of their sum."""
    return {f"{stage} [ms]": statistics.median(figure[stage] for figure in figures) for stage in figures[0]} | {
        "press to verdict [ms]": statistics.median(sum(figure.values()) for figure in figures)}


def main(binary, kind):
    model = MODELS[kind]()
    # Not where temporary files may be in memory, which syncs them at once.
    with tempfile.TemporaryDirectory(prefix="bench-floors.", dir=ROOT / "target") as folder:
        folder = pathlib.Path(folder)
        pictures, state = folder / "fields", folder / "state"
        pictures.mkdir()
        paths = model.write_pictures(pictures)
        answers = images(measure([binary, "classify", "--json", *model.options(), *paths]))
        results = [model.result(answer) for answer in answers]
        networks = {file: Network(file) for file in model.runs(answers[0])}
        server = appliance(binary, model, folder, fields=pictures, settings=f"[storage]\nstate = '{state}'\n")
        presses, least = [], []
        try:
            for _ in paths:
                press(server)  # waits until it is ready, and fills caches
            for _ in range(ROUNDS):
                next_slide(server)
                for path, answer in zip(paths, answers):
                    presses.append(press(server))
                    least.append(floors(model, networks, path, answer, folder))
            peak = server.peak()
        finally:
            server.end()
        records = measure([binary, "records", "list", "--json", "--state", str(state)]).output.splitlines()
    ours = stages([json.loads(record) for record in records][len(paths):], presses)
    print(f"presses of {SIZE[0]}x{SIZE[1]} JPEGs, enlarged from {model.source().name}, with {min(results):.3g} to "
          f"{max(results):.3g} {model.RESULT}; {os.cpu_count()} cores, {ROUNDS} slides of {len(paths)} presses each; "
          f"peak memory {peak:.0f} MiB")
    print_table({"smearscope": medians(ours), "floors": medians(least)})


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(*sys.argv[1:])
    else:
        sys.exit(__doc__)
