"""A server under measurement, and a client that sends it images."""

import http.client
import json
import os
import pathlib
import queue
import socket
import subprocess
import sys
import threading
import time

from bench_peer import ROOT


def appliance(binary, model, folder, *, fields, settings=""):
    """smearscope with a model on the simulated bench, which shows the pictures of `fields`; `folder` is for its configuration.

    `settings` are added to the configuration, from the table `http` on.
    """
    config = pathlib.Path(folder, "config.toml")
    config.write_text(
        f"board = 'sim'\n[sim]\nfields = '{fields}'\n[camera]\num_per_pixel = {model.UM_PER_PIXEL}\n"
        f"[model]\nfolder = '{model.FOLDER}'\nengine = 'openvino'\n[timing]\nselftest_s = 0.1\n"
        f"[http]\nlisten = '127.0.0.1:0'\n{settings}")
    return Server(model.path(), [binary, "run", "--panel", "lines", "--config", str(config)])


class Server:
    """A process that serves images at a path, the port where it listens, and the lines that it prints after that."""

    def __init__(self, path, command):
        self.path = path
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        log = []
        for line in self.process.stdout:
            log.append(line)
            if "listening on " in line:
                break
        else:
            sys.exit(f"bench: {command[0]} does not serve:\n{''.join(log)}")
        self.port = int(line.strip().replace(":", " ").split()[-1].rstrip("/"))
        self.lines = queue.SimpleQueue()
        # What is not read fills the pipe.
        threading.Thread(target=lambda: [self.lines.put(line) for line in self.process.stdout], daemon=True).start()

    def peak(self):
        """Peak memory in MiB."""
        return self._memory("VmHWM")

    def resident(self):
        """Memory in MiB at present."""
        return self._memory("VmRSS")

    def _memory(self, name):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{name}:")[1].split()[0]) / 1024

    def busy(self):
        """Milliseconds for which it kept a core busy so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def end(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()


class Client:
    """A connection that is kept open."""

    def __init__(self, port, path):
        self.path = path
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, image):
        """Status and body of the answer."""
        self.connection.request("POST", self.path, image, {"Content-Type": "image/jpeg"})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def ask(self, image):
        """The answer, and the milliseconds that it took."""
        start = time.perf_counter()
        status, body = self.send(image)
        elapsed = (time.perf_counter() - start) * 1000
        if status != 200:
            sys.exit(f"bench: {self.path} answers {status}: {body[:200]}")
        return json.loads(body), elapsed
