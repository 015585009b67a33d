"""Images over HTTP: smearscope against Flask with OpenCV and OpenVINO's Python API.

Both serve the same model on the same machine and get the same 2592x1944 JPEG files as raw bodies over
connections that are kept open. They take turns, so that other load on the machine affects both.
smearscope also runs its quality gate; the Python peer has none.

    bench_http.py BINARY           prints the comparison
    bench_http.py --peer MODEL     is the peer: prints where it listens
"""

import http.client
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import cv2
import numpy as np

from bench_peer import MODEL, ROOT, SIZE, Network, enlarged, source
from measure import print_table

CLIENTS = 8
ROUNDS = 3
# Requests of one client, and of all clients together, in a round.
ALONE, TOGETHER = 60, 160


def peer(model_dir):
    import flask
    import waitress

    network = Network(model_dir)
    of_thread = threading.local()
    app = flask.Flask("peer")

    @app.post("/Inference")
    def inference():
        if not hasattr(of_thread, "request"):
            of_thread.request = network.request()
        pixels = cv2.imdecode(np.frombuffer(flask.request.get_data(), np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            return {"Response": "FAILED", "Message": "not an image"}, 422
        return {"probability": network.probability(of_thread.request, pixels)}

    listener = socket.create_server(("127.0.0.1", 0))
    print("listening on", listener.getsockname()[1], flush=True)
    waitress.serve(app, sockets=[listener], threads=CLIENTS)


class Server:
    """A process that serves, and where."""

    def __init__(self, path, command, output):
        self.path = path
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, text=True,
            stdout=subprocess.PIPE if output == "stdout" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if output == "stderr" else subprocess.DEVNULL)
        lines = getattr(self.process, output)
        log = []
        for line in lines:
            log.append(line)
            if "listening on " in line:
                break
        else:
            sys.exit(f"bench: {command[0]} does not serve:\n{''.join(log)}")
        self.port = int(line.strip().replace(":", " ").split()[-1].rstrip("/"))
        # What is not read fills the pipe.
        threading.Thread(target=lambda: [None for _ in lines], daemon=True).start()

    def peak(self):
        """Peak memory in MiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def busy(self):
        """Milliseconds for which it kept a core busy so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def end(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()


class Client:
    def __init__(self, server):
        self.path = server.path
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, image):
        """The probability, and the milliseconds that it took."""
        start = time.perf_counter()
        self.connection.request("POST", self.path, image, {"Content-Type": "image/jpeg"})
        answer = self.connection.getresponse()
        body = answer.read()
        elapsed = (time.perf_counter() - start) * 1000
        if answer.status != 200:
            sys.exit(f"bench: {self.path} answers {answer.status}: {body[:200]}")
        probability = json.loads(body)["probability"]
        if probability is None:
            sys.exit(f"bench: the model was not asked: {body[:300]}")
        return probability, elapsed


def alone(server, images):
    """Milliseconds of requests one after the other."""
    client = Client(server)
    return [client.ask(images[number % len(images)])[1] for number in range(ALONE)]


def together(server, images):
    """Images a second with all clients at once, and milliseconds of a core for each."""
    failed = []

    def ask(first):
        try:
            client = Client(server)
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


def main(binary):
    images = list(enlarged().values())
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "config.toml")
        config.write_text(
            f"board = 'sim'\n[sim]\nfields = '{ROOT}/hardware/fields'\n"
            f"[model]\nfolder = '{MODEL}'\nengine = 'openvino'\n"
            f"[http]\nlisten = '127.0.0.1:0'\nanalyses = {os.cpu_count()}\nqueue = {CLIENTS}\n")
        servers = {
            "smearscope": Server("/v1/classify", [binary, "run", "--panel", "lines", "--config", str(config)], "stderr"),
            "python": Server("/Inference", [sys.executable, __file__, "--peer", str(MODEL)], "stdout"),
        }
        try:
            answers = {name: [Client(server).ask(image)[0] for image in images] for name, server in servers.items()}
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
    apart = max(abs(ours - theirs) for ours, theirs in zip(*answers.values()))
    print(f"{len(images)} JPEGs of {SIZE[0]}x{SIZE[1]}, enlarged from {source().name}, {os.cpu_count()} cores, "
          f"{ROUNDS} rounds; probabilities at most {apart:.4f} apart")
    print_table(figures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(pathlib.Path(sys.argv[2]))
    elif len(sys.argv) == 2:
        main(sys.argv[1])
    else:
        sys.exit(__doc__)
