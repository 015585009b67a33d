"""A press to its verdict while clients flood the HTTP API, against a press without them.

Two runs of presses take turns, so that other load on the machine affects both. The clients send
2592x1944 JPEG files to /v1/classify, without a pause, with the lowest priority: on a real bench they run
on other machines. The camera's pictures are the same files.

    bench_press.py BINARY MODEL              prints the comparison; MODEL is `field` or `cells`
    bench_press.py --flood PORT PATH IMAGE   is the clients, until its input ends: prints how many images were analysed
"""

import http.client
import os
import pathlib
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from bench_peer import MODELS, SIZE
from bench_server import Client, appliance
from measure import print_table

CLIENTS = 16
ROUNDS = 3
# Presses in a round, without and with clients each.
PRESSES = 20
# Seconds between a verdict and the next press.
PAUSE = 0.1
# Seconds after the last flood; by then its memory is given back.
LATER = 25


def flood(port, path, image):
    """Sends the image from all clients, again and again. A full queue refuses many."""
    os.nice(19)
    analysed = queue.SimpleQueue()

    def send():
        while True:
            try:
                client = Client(port, path)
                while True:
                    if client.send(image)[0] == 200:
                        analysed.put(None)
            except (OSError, http.client.HTTPException):
                # A refused upload ends the connection.
                continue

    for _ in range(CLIENTS):
        threading.Thread(target=send, daemon=True).start()
    sys.stdin.read()
    print(analysed.qsize())


def press(server):
    """Milliseconds from a press to its verdict."""
    start = time.perf_counter()
    server.process.stdin.write("press\n")
    server.process.stdin.flush()
    while not server.lines.get().startswith("verdict:"):
        pass
    elapsed = (time.perf_counter() - start) * 1000
    time.sleep(PAUSE)
    return elapsed


def main(binary, kind):
    model = MODELS[kind]
    with tempfile.TemporaryDirectory() as folder:
        files = model.write_pictures(folder)
        server = appliance(binary, model, folder, fields=folder)
        figures = {"flooded": [], "quiet": []}
        memory, analysed = {}, []
        try:
            press(server)  # waits until it is ready
            memory["quiet"] = server.resident()
            for _ in range(ROUNDS):
                figures["quiet"] += [press(server) for _ in range(PRESSES)]
                clients = subprocess.Popen(
                    [sys.executable, __file__, "--flood", str(server.port), server.path, files[0]],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                try:
                    time.sleep(1)  # they start
                    figures["flooded"] += [press(server) for _ in range(PRESSES)]
                finally:
                    analysed.append(int(clients.communicate()[0]))
            peak = server.peak()
            time.sleep(LATER)
            memory["flooded"] = server.resident()
        finally:
            server.end()
    if not any(analysed):
        sys.exit("bench: the clients got no answer")
    print(f"presses of {SIZE[0]}x{SIZE[1]} JPEGs, enlarged from {model.source().name}, with and without "
          f"{CLIENTS} clients; {os.cpu_count()} cores, {ROUNDS} rounds of {PRESSES} presses each; "
          f"{sum(analysed)} images of the clients analysed; peak memory {peak:.0f} MiB")
    print_table({
        name: {
            "press to verdict, median [ms]": statistics.median(times),
            "press to verdict, 95th percentile [ms]": statistics.quantiles(times, n=20)[-1],
            "press to verdict, longest [ms]": max(times),
            f"memory, at first and {LATER} s after clients [MiB]": memory[name],
        } for name, times in figures.items()})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--flood"]:
        flood(int(sys.argv[2]), sys.argv[3], pathlib.Path(sys.argv[4]).read_bytes())
    elif len(sys.argv) == 3:
        main(*sys.argv[1:])
    else:
        sys.exit(__doc__)
