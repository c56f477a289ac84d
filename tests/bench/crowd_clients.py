#!/usr/bin/env python3
"""Many clients of one kind in one process, for crowds.py.

  crowd_clients.py PORT KIND COUNT BODY_BYTES TIME_FACTOR     KIND: a key of KINDS

Each client connects from an address of its kind and sends one part of its script each TIME_FACTOR seconds. A client
whose connection was closed connects again. The process prints "ready" when each client has connected and the clients
that start with a GET request have a response. After each line of its standard input it prints two numbers: how many
connections the server has closed so far, and how many responses had another status than 200. It ends when its standard
input closes.
"""

import contextlib
import dataclasses
import math
import os
import resource
import select
import socket
import sys
import time

CLIENTS_PER_ADDRESS = 5000      # a client address has 28,000 ports
HEAD_SECONDS = 5                # a slow head is complete after half of the server's limit
IDLE_SECONDS = 30               # an idle client sends a request after half of the server's limit
BODY_RATE = 2048                # bytes of a slow body in a second, with a factor of 1


@dataclasses.dataclass(frozen=True)
class Kind:
    count: int      # in the full crowd
    network: int    # the clients have the addresses 127.NETWORK.0.1, 127.NETWORK.0.2, ...

    def address(self, number):
        return f"127.{self.network}.0.{1 + number // CLIENTS_PER_ADDRESS}"


# In the order in which they connect: the event streams have the most work.
KINDS = {"idle": Kind(10_000, 1), "slow bodies": Kind(5_000, 2), "slow heads": Kind(500, 3),
         "event streams": Kind(10_000, 4)}


def script(kind, body_bytes, period):
    """(parts to send, index of the part that follows the last one). A part is sent each `period` seconds."""
    if kind == "event streams":
        return [b"GET /ticks HTTP/1.1\r\nHost: localhost\r\n\r\n", b""], 1
    if kind == "idle":
        return [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", *[b""] * math.floor(IDLE_SECONDS / period)], 0
    if kind == "slow heads":
        end = b"\r\nHost: localhost\r\n\r\n"
        return [b"GET / HTTP/1.1\r\nX: ", *[b"x"] * math.floor(HEAD_SECONDS / period), end], 0
    head = b"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % body_bytes
    return [head, *[b"x" * min(BODY_RATE, body_bytes - at) for at in range(0, body_bytes, BODY_RATE)]], 0


class Client:
    def __init__(self, number):
        self.number, self.socket, self.part = number, None, 0


class Crowd:
    def __init__(self, port, kind, count, body_bytes, time_factor):
        self.port, self.kind, self.timeout, self.period = port, KINDS[kind], 20 * time_factor, time_factor
        self.parts, self.next_part = script(kind, body_bytes, self.period)
        self.must_respond = self.parts[0].startswith(b"GET ") and self.parts[0].endswith(b"\r\n\r\n")
        self.poller, self.by_descriptor, self.closed, self.rejected = select.epoll(), {}, 0, 0
        self.clients = [Client(number) for number in range(count)]

    def connect(self, client):
        client.socket, client.part = socket.socket(), 0
        client.socket.setsockopt(socket.IPPROTO_IP, 24, 1)      # IP_BIND_ADDRESS_NO_PORT: connect selects the port
        client.socket.bind((self.kind.address(client.number), 0))
        client.socket.settimeout(self.timeout)
        client.socket.connect(("127.0.0.1", self.port))
        self.send_part(client)
        if self.must_respond:
            self.check(client.socket.recv(4096))
        client.socket.setblocking(False)
        self.by_descriptor[client.socket.fileno()] = client
        self.poller.register(client.socket, select.EPOLLIN | select.EPOLLRDHUP)

    def send_part(self, client):
        part = self.parts[client.part]
        client.part = client.part + 1 if client.part + 1 < len(self.parts) else self.next_part
        if part:
            client.socket.send(part)

    def check(self, data):
        if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 200 "):
            self.rejected += 1

    def receive(self, seconds):
        """Waits for bytes, checks them, and connects again where the server has closed. True if a command came."""
        for descriptor, _ in self.poller.poll(seconds, 1000):
            if descriptor == sys.stdin.fileno():
                return True
            client = self.by_descriptor[descriptor]
            with contextlib.suppress(BlockingIOError):
                data = b""
                with contextlib.suppress(ConnectionError):
                    data = client.socket.recv(65536)
                if data:
                    self.check(data)
                else:
                    del self.by_descriptor[descriptor]
                    self.poller.unregister(descriptor)
                    client.socket.close()
                    self.closed += 1
                    self.connect(client)
        return False

    def run(self):
        self.poller.register(sys.stdin, select.EPOLLIN)
        waiting, due = iter(self.clients), time.monotonic() + self.period
        connecting = True
        while True:
            if connecting:
                if client := next(waiting, None):
                    self.connect(client)
                else:
                    connecting = False
                    print("ready", flush=True)
            if self.receive(0 if connecting else max(0, due - time.monotonic())):
                if not os.read(sys.stdin.fileno(), 4096):
                    return
                print(self.closed, self.rejected, flush=True)
            if time.monotonic() >= due:
                for client in self.by_descriptor.values():
                    with contextlib.suppress(OSError):      # the next receive() sees that the connection is closed
                        self.send_part(client)
                due = max(due + self.period, time.monotonic())


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port, kind, count, body_bytes, time_factor = sys.argv[1:]
    Crowd(int(port), kind, int(count), int(body_bytes), float(time_factor)).run()


if __name__ == "__main__":
    main()
