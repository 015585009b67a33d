"""Images over HTTP: smearscope against Flask with OpenCV and OpenVINO's Python API.

Both serve the same model on the same machine and get the same 2592x1944 JPEG files as raw bodies over
connections that are kept open. They take turns, so that other load on the machine affects both.
smearscope also runs its quality gate; the Python peer has none.

    bench_http.py BINARY MODEL     prints the comparison; MODEL is `field` or `cells`
    bench_http.py --peer MODEL     is the peer: prints where it listens
"""

import http.client
import os
import socket
import statistics
import sys
import tempfile
import threading
import time

import cv2
import numpy as np

from bench_peer import MODELS, SIZE
from bench_server import Client, Server, appliance
from measure import print_table

CLIENTS = 8
ROUNDS = 3
# Requests of one client, and of all clients together, in a round.
ALONE, TOGETHER = 60, 160


def peer(model):
    import flask
    import waitress

    of_thread = threading.local()
    app = flask.Flask("peer")

    @app.post("/Inference")
    def inference():
        if not hasattr(of_thread, "request"):
            of_thread.request = model.request()
        pixels = cv2.imdecode(np.frombuffer(flask.request.get_data(), np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            return {"Response": "FAILED", "Message": "not an image"}, 422
        return model.answer(of_thread.request, pixels)

    listener = socket.create_server(("127.0.0.1", 0))
    print("listening on", listener.getsockname()[1], flush=True)
    waitress.serve(app, sockets=[listener], threads=CLIENTS)


def alone(server, images):
    """Milliseconds of requests one after the other."""
    client = Client(server.port, server.path)
    return [client.ask(images[number % len(images)])[1] for number in range(ALONE)]


def together(server, images):
    """Images a second with all clients at once, and milliseconds of a core for each."""
    failed = []

    def ask(first):
        try:
            client = Client(server.port, server.path)
            for number in range(first, TOGETHER, CLIENTS):
                client.ask(images[number % len(images)])
        except (SystemExit, OSError, http.client.HTTPException) as error:
            failed.append(str(error))

    clients = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    busy = server.busy()
    start = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    if failed:
        sys.exit(failed[0])
    elapsed = time.perf_counter() - start
    return TOGETHER / elapsed, (server.busy() - busy) / TOGETHER


def main(binary, kind):
    model = MODELS[kind]
    images = list(model.pictures().values())
    with tempfile.TemporaryDirectory() as folder:
        servers = {
            "smearscope": appliance(
                binary, model, folder, fields=model.source(), settings=f"analyses = {os.cpu_count()}\nqueue = {CLIENTS}\n"),
            "python": Server("/Inference", [sys.executable, __file__, "--peer", kind]),
        }
        try:
            results = [
                [model.result(Client(server.port, server.path).ask(image)[0]) for image in images]
                for server in servers.values()]
            latency = {name: [] for name in servers}
            throughput = {name: [] for name in servers}
            for name, server in servers.items():
                together(server, images)  # start its threads
            for _ in range(ROUNDS):
                for name, server in servers.items():
                    latency[name] += alone(server, images)
                for name, server in servers.items():
                    throughput[name].append(together(server, images))
            figures = {
                name: {
                    "latency, 1 client, median [ms]": statistics.median(latency[name]),
                    "latency, 1 client, 95th percentile [ms]": statistics.quantiles(latency[name], n=20)[-1],
                    f"throughput, {CLIENTS} clients [images/s]": statistics.median(rate for rate, _ in throughput[name]),
                    f"core time an image, {CLIENTS} clients [ms]": statistics.median(busy for _, busy in throughput[name]),
                    "peak memory [MiB]": server.peak(),
                } for name, server in servers.items()}
        finally:
            for server in servers.values():
                server.end()
    print(f"{len(images)} JPEGs of {SIZE[0]}x{SIZE[1]}, enlarged from {model.source().name}, {os.cpu_count()} cores, "
          f"{ROUNDS} rounds; {model.agreement(*results)}")
    print_table(figures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(MODELS[sys.argv[2]]())
    elif len(sys.argv) == 3:
        main(*sys.argv[1:])
    else:
        sys.exit(__doc__)
