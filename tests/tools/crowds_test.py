#!/usr/bin/env python3
"""Tests of tests/bench/crowds.py: it counts the accepted connections of each kind, and reports one that is missing.

  python3 tests/tools/crowds_test.py
"""

import pathlib
import socket
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import crowds  # noqa: E402

ONE_OF_EACH = dict.fromkeys(crowds.KINDS, 1)


class FakeServer:
    """Answers each complete GET request with 200. At the first request of `/livez`, it closes one idle connection."""

    def __init__(self, closes_idle):
        self.closes_idle, self.idle = closes_idle, None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def threads(self):
        return 1

    def resident(self):
        return 1

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            while data := connection.recv(4096):
                if not data.startswith(b"GET ") or not data.endswith(b"\r\n\r\n"):
                    continue
                if data.startswith(b"GET / "):
                    self.idle = connection
                elif data.startswith(b"GET /livez ") and self.closes_idle:
                    self.closes_idle = False
                    self.idle.shutdown(socket.SHUT_RDWR)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                if data.startswith(b"GET /livez "):
                    return

    def close(self):
        self.listener.close()


class Connections(unittest.TestCase):
    def test_counts_the_accepted_connections_of_each_kind(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            sources = {name: kind.address(0) for name, kind in crowds.KINDS.items()}
            clients = [socket.create_connection(("127.0.0.1", port), 10, (address, 0)) for address in sources.values()]
            clients.append(socket.create_connection(("127.0.0.1", port), 10))       # of no kind
            accepted = [listener.accept()[0] for _ in clients[:2]]
            self.assertEqual(crowds.missing(ONE_OF_EACH, crowds.await_connections(port, ONE_OF_EACH, 0)),
                             "1 of 1 slow heads, 1 of 1 event streams")
            accepted += [listener.accept()[0] for _ in clients[2:]]
            self.assertEqual(crowds.await_connections(port, ONE_OF_EACH, 10), ONE_OF_EACH)
            accepted[0].close()
            self.assertEqual(crowds.missing(ONE_OF_EACH, crowds.await_connections(port, ONE_OF_EACH, 0)), "1 of 1 idle")
            for each in (*clients, *accepted):
                each.close()


class Measurement(unittest.TestCase):
    def measure(self, closes_idle):
        server = FakeServer(closes_idle)
        try:
            return crowds.measure(server, scale=0, seconds=0)
        finally:
            server.close()

    def test_prints_the_connections_at_the_start_and_at_the_end(self):
        error, text = self.measure(closes_idle=False)
        self.assertEqual(error, "")
        one_each = "1 idle, 1 slow bodies, 1 slow heads, 1 event streams"
        self.assertTrue(text.startswith(f"{one_each}; after the requests {one_each}; 0 connections closed"), text)

    def test_reports_a_connection_that_the_server_has_closed(self):
        error, text = self.measure(closes_idle=True)
        self.assertEqual(error, "1 connections were closed by the server, 0 requests were rejected", text)


if __name__ == "__main__":
    unittest.main()
