"""Time of a training step: smearscope-train against PyTorch on the CPU, with as many threads.

Both train the reference network with Adam at batch 32 in single precision; a step is forward pass,
backward pass and update, of a batch that is in memory. They take turns, so that other load
on the machine affects both.

    bench_train.py BINARY     prints the comparison
    bench_train.py --peer     is the peer: prints one JSON object
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from measure import measure, print_table

BATCH = 32
STEPS = 12
WARM_UP = 3
ROUNDS = 3
FIELDS = 64


def peer():
    import torch
    from torch import nn

    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 30, 5, padding=2), nn.ReLU(),
        nn.Conv2d(30, 30, 5, padding=2), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(30 * 50 * 50, 2),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, eps=1e-7)
    images, labels = torch.randn(BATCH, 3, 100, 100), torch.randint(0, 2, (BATCH,))
    times = []
    for _ in range(WARM_UP + STEPS):
        start = time.perf_counter()
        loss = nn.functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
        times.append((time.perf_counter() - start) * 1000)
    median = statistics.median(times[WARM_UP:])
    print(json.dumps({"step_ms": {"median": median}, "threads": torch.get_num_threads(), "torch": torch.__version__}))


def main(binary):
    threads = os.cpu_count()
    environment = {name: str(threads) for name in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS")}
    with tempfile.TemporaryDirectory() as folder:
        fields = pathlib.Path(folder, "fields")
        subprocess.run([binary, "synth", "--out", fields, "--count", str(FIELDS)],
                       check=True, stdout=subprocess.DEVNULL)
        contenders = {
            "smearscope": [binary, "benchmark", "--json", "--data", str(fields),
                           "--batch-size", str(BATCH), "--steps", str(STEPS)],
            "pytorch": [sys.executable, __file__, "--peer"],
        }
        runs = {name: [] for name in contenders}
        for _ in range(ROUNDS):
            for name, command in contenders.items():
                runs[name].append(measure(command, environment=environment))
    steps = {name: [json.loads(run.output) for run in side] for name, side in runs.items()}
    print(f"reference network, batch {BATCH}, {threads} threads each, PyTorch {steps['pytorch'][0]['torch']}")
    print_table({
        name: {
            "one step, median [ms]": statistics.median(step["step_ms"]["median"] for step in steps[name]),
            "peak memory, whole process [MiB]": max(run.peak_mib for run in side),
        } for name, side in runs.items()})
    ours = steps["smearscope"]
    fit = statistics.median(run["fit_step_ms"]["median"] for run in ours)
    waiting = statistics.median(run["waiting"] for run in ours)
    print(f"{'one step of fit, with augmentation [ms]':46}{fit:12.1f}")
    print(f"{'share of it spent waiting for images [%]':46}{waiting * 100:12.2f}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--peer"]:
        peer()
    elif len(sys.argv) == 2:
        main(sys.argv[1])
    else:
        sys.exit(__doc__)
