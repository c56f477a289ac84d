"""Builds and runs the servers for tests/bench/engine.py, and generates their load with wrk.

The server runs on the first core and wrk on the second. The processor time per request is the processor time of the
server, from /proc, divided by the number of responses that wrk received. It depends little on other load on the
machine; rates and latencies depend on it.
"""

import contextlib
import pathlib
import re
import resource
import socket
import subprocess
import sys
import textwrap
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from kit import BUILD, GXX, ROOT, STANDARD, httplib_folder, run  # noqa: E402

FOLDER = BUILD / "bench"
SERVER_CORE, CLIENT_CORE = "0", "1"

BROWSER_FIELDS = {
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
                  "Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.9,de;q=0.8", "Accept-Encoding": "gzip, deflate, br", "Cache-Control": "no-cache",
    "Pragma": "no-cache", "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none",
    "Upgrade-Insecure-Requests": "1", "Cookie": "session=abcdef0123456789; theme=dark",
    "Referer": "http://127.0.0.1/index.html",
}


def build(name):
    """Returns (program, seconds to compile, size in bytes without symbols)."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    program = FOLDER / name
    start = time.monotonic()
    code, output = run([GXX, *STANDARD, "-O2", f"-I{ROOT / 'include'}", "-isystem", httplib_folder(),
                      HERE / "servers" / f"{name}.cpp", "-o", program, "-pthread"], timeout=300)
    if code or output:                                      # a warning, too
        sys.exit(output)
    seconds = time.monotonic() - start
    stripped = FOLDER / f"{name}.stripped"
    run(["strip", "-o", stripped, program])
    return program, seconds, stripped.stat().st_size


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A running server."""

    def __init__(self, process, port):
        self.process, self.port = process, port

    def cpu(self):
        """Processor time of all its threads in microseconds."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
        return total / 1000

    def _status(self, name):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE).group(1))

    def threads(self):
        return self._status("Threads")

    def resident(self):
        """Resident memory in MiB."""
        return self._status("VmRSS") / 1024


@contextlib.contextmanager
def running(command, listen_seconds=5, **options):
    """Runs the command, a list, with PORT replaced by a free port, and waits until it listens. `options` are those of
    Popen."""
    port = free_port()
    arguments = [word.replace("PORT", str(port)) for word in map(str, command)]
    process = subprocess.Popen(["taskset", "-c", SERVER_CORE, *arguments],
                               **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **options})
    try:
        end = time.monotonic() + listen_seconds
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if time.monotonic() > end:
                sys.exit(f"{arguments[0]} does not listen")
            time.sleep(0.01)
        yield Server(process, port)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()


def start_wrk(server, path="/", connections=16, seconds=2, headers=None, body_bytes=0):
    """Starts wrk; with `body_bytes`, it sends POST /body."""
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    if body_bytes:
        path = "/body"
        command += ["-s", post_script(body_bytes)]
    return subprocess.Popen([*command, f"http://127.0.0.1:{server.port}{path}"], stdout=subprocess.PIPE, text=True)


def result_of(wrk):
    """Returns (number of requests, requests per second, p50, p99); latencies in milliseconds."""
    output = wrk.communicate(timeout=120)[0]

    def latency(percent):
        value, unit = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s|m)\b", output).groups()
        return float(value) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[unit]
    return (int(re.search(r"(\d+) requests in", output).group(1)),
            float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)), latency(50), latency(99))


def measure(server, seconds, **options):
    """Returns {cpu: microseconds per request, rate, p50, p99}, after one second of warm-up."""
    start_wrk(server, seconds=1, **options).communicate(timeout=60)
    before = server.cpu()
    requests, rate, p50, p99 = result_of(start_wrk(server, seconds=seconds, **options))
    return {"cpu": (server.cpu() - before) / requests, "rate": rate, "p50": p50, "p99": p99}


def post_script(body_bytes):
    script = FOLDER / "post.lua"
    script.write_text(f'wrk.method = "POST"\nwrk.body = string.rep("x", {body_bytes})\n'
                      'wrk.headers["Content-Type"] = "text/plain"\n')
    return script


@contextlib.contextmanager
def many_clients(server, count, data, repeated=b""):
    """Runs `count` clients, which send `data`, and `repeated` every two seconds, but do not read. Yields None if the
    process may not open enough descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 100:
        yield None
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    client_program = textwrap.dedent("""
        import socket, sys, time
        port, count, data, repeated = int(sys.argv[1]), int(sys.argv[2]), *map(bytes.fromhex, sys.argv[3:])
        sockets = []
        for i in range(count):
            s = socket.socket()
            s.bind((f"127.0.0.{2 + i // 5000}", 0))
            s.connect(("127.0.0.1", port))
            s.sendall(data)
            sockets.append(s)
        print("ready", flush=True)
        end = time.monotonic() + 120
        while time.monotonic() < end:
            time.sleep(2)
            for s in sockets:
                try:
                    s.sendall(repeated)
                except OSError:
                    pass
        """)
    process = subprocess.Popen(["taskset", "-c", CLIENT_CORE, sys.executable, "-c", client_program, str(server.port),
                                str(count), data.hex(), repeated.hex()], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        time.sleep(0.5)
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
