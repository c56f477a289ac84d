#!/usr/bin/env python3
"""HAProxy and two instances, with /readyz as the health check: restarts in turn, under load, lose no request.

  tests/package/haproxy.py PROGRAM [PATH]   # a program with `debug --port`, and a path (default /greet/anna)

The configuration is that of docs/recipes.md.
"""

import contextlib
import http.client
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import BUILD, ROOT, Tally, eventually  # noqa: E402

FOLDER = BUILD / "test" / "package" / "haproxy"


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def status(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status
    except OSError as error:
        return str(error)
    except http.client.HTTPException as error:
        return repr(error)
    finally:
        connection.close()


class Instance:
    def __init__(self, program, port):
        self.program, self.port = program, port
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.program, "debug", "--port", str(self.port)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(lambda: status(self.port, "/readyz") == 200)

    def restart(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=60)
        self.start()
        return code


def configuration(front, ports):
    """The backend of docs/recipes.md, with the ports of this run."""
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    backend = re.search(r"```\n(backend services\n.*?)```", page, re.DOTALL).group(1)
    for documented, port in zip(("8091", "8092"), ports):
        backend = backend.replace(documented, str(port))
    return ("defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
            f"frontend front\n  bind 127.0.0.1:{front}\n  default_backend services\n{backend}")


def main():
    tally = Tally()
    program = pathlib.Path(sys.argv[1]).resolve()
    path = sys.argv[2] if len(sys.argv) > 2 else "/greet/anna"
    FOLDER.mkdir(parents=True, exist_ok=True)
    front, ports = free_port(), [free_port(), free_port()]
    (FOLDER / "haproxy.cfg").write_text(configuration(front, ports))
    instances = [Instance(program, port) for port in ports]
    proxy = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", FOLDER / "haproxy.cfg"], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    results, done = [], threading.Event()

    def load():
        while not done.is_set():
            results.append(status(front, path))
            time.sleep(0.005)

    clients = [threading.Thread(target=load) for _ in range(4)]
    try:
        tally.check("HAProxy serves", eventually(lambda: status(front, path) == 200))
        for client in clients:
            client.start()
        codes = []
        for instance in instances * 3:
            codes.append(instance.restart())
            time.sleep(1)                                   # until the health check has seen it
        tally.check("each stop is complete", codes == [0] * 6, f"{codes}")
    finally:
        done.set()
        for client in clients:
            if client.is_alive():
                client.join()
        for process in (proxy, *(instance.process for instance in instances)):
            process.terminate()
            process.wait()
    lost = [result for result in results if result != 200]
    tally.check(f"no request of {len(results)} is lost in 6 restarts", results and not lost, f"{len(lost)}: {lost[:5]}")
    tally.finish()


if __name__ == "__main__":
    main()
