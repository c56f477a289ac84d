#!/usr/bin/env python3
"""The server and nginx with a path prefix: addresses, redirects, cookies, request ids and streams.

  tests/conformance/proxy.py

nginx serves /app/ and removes the prefix, as docs/engine.md describes, and it serves / with the block of docs/recipes.md.
Without nginx the tests are skipped.
"""

import contextlib
import http.client
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import server_process  # noqa: E402

CONFIGURATION = """
daemon off; master_process off; worker_processes 1; pid FOLDER/pid; error_log FOLDER/error.log;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path FOLDER/a; proxy_temp_path FOLDER/b; fastcgi_temp_path FOLDER/c; uwsgi_temp_path FOLDER/d;
  scgi_temp_path FOLDER/e;
  server {
    listen 127.0.0.1:PORT;
    location /app/ {
      proxy_pass http://127.0.0.1:BACKEND/;
      proxy_http_version 1.1;
      proxy_set_header Host $proxy_host;
      proxy_set_header Forwarded "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Prefix /app;
      proxy_set_header X-Request-Id $request_id;
    }
    RECIPE
  }
}
"""
PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "recipes.md"


def block_of_the_recipe():
    """The configuration that users copy; only the port of the service differs."""
    block = re.search(r"^nginx [^\n]*:\n\n```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL).group(1)
    if ":8090;" not in block:
        raise ValueError(f"the block has another port:\n{block}")
    return block.replace(":8090;", ":BACKEND;")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running_nginx(program, backend):
    """Runs nginx in the foreground. Yields its port, or None if it does not listen within 5 s."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        text = CONFIGURATION.replace("RECIPE", block_of_the_recipe())
        text = text.replace("FOLDER", folder).replace("PORT", str(port)).replace("BACKEND", str(backend))
        configuration = pathlib.Path(folder, "nginx.conf")
        configuration.write_text(text)
        process = subprocess.Popen([program, "-p", folder, "-c", configuration, "-e", f"{folder}/error.log"],
                                   stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline and process.poll() is None:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                time.sleep(0.05)
            else:
                port = None
            yield port
        finally:
            process.terminate()
            process.wait(10)


def request(port, path, headers=()):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers=dict(headers))
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response, body


def check_all(tally, program):
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not nginx:
        tally.skip("behind nginx", "nginx is not installed; tools/deps installs it")
        return
    with server_process.running(program) as server, running_nginx(nginx, server.port) as port:
        if not port:
            tally.check("nginx starts", False, "it does not listen")
            return
        response, body = request(port, "/app/report/7", {
            "Host": "shop.example:8443", "X-Forwarded-For": "203.0.113.9", "Forwarded": "for=1.1.1.1;host=evil.example",
            "X-Forwarded-Prefix": "/evil", "X-Request-Id": "from-client",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
        client, path, url, identifier, trace = (body.split("\n") + [""] * 5)[:5]
        tally.check("behind nginx: the address of the client", client == "203.0.113.9", body)
        tally.check("behind nginx: url_for has the prefix", path == "/app/report/7", body)
        tally.check("behind nginx: an absolute URL has scheme, host and prefix of the client",
                    url == "https://shop.example:8443/app/report/7", body)
        tally.check("behind nginx: the request id is nginx's, in the handler and in the response",
                    re.fullmatch("[0-9a-f]{32}", identifier) and response.headers["X-Request-Id"] == identifier, body)
        tally.check("behind nginx: traceparent is kept", trace.startswith("00-4bf92f3577b34da6"), body)
        tally.check("behind nginx: a cookie is secure", "; Secure" in (response.headers["Set-Cookie"] or ""),
                    str(response.headers))
        response, _ = request(port, "/app/login")
        tally.check("behind nginx: a redirect has the prefix", response.headers["Location"] == "/app/report/7",
                    str(response.headers))
        response, body = request(port, "/app/stream")
        tally.check("behind nginx: a stream is complete", body == "one two three", body)
        response, body = request(port, "/report/7", {"Host": "shop.example", "X-Forwarded-For": "203.0.113.9"})
        client, _, url, *_ = (body.split("\n") + [""] * 3)
        tally.check("behind nginx as in docs/recipes.md: the address of the client and the absolute URL",
                    (client, url) == ("203.0.113.9", "http://shop.example/report/7"), body)
        response, body = request(port, "/app/users/a%2Fb")
        tally.check("behind nginx: a path keeps its meaning", response.status in (200, 404), body)


if __name__ == "__main__":
    server_process.main(check_all)
