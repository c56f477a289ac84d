#!/usr/bin/env python3
"""Many clients of one kind in one process, for crowds.py.

  crowd_clients.py PORT COUNT DATA REPEATED     DATA and REPEATED: hexadecimal

Each client connects and sends DATA, then REPEATED once a second. A client whose connection was closed connects again.
The process prints "ready" when all clients have connected. If DATA is a complete GET request, each must also have a
response with 200. It ends when its standard input closes.
"""

import contextlib
import resource
import select
import socket
import sys
import time

CLIENTS_PER_ADDRESS = 5000      # a client address has 28,000 ports, and the crowds share the addresses


class Crowd:
    def __init__(self, port, data, repeated):
        self.port, self.data, self.repeated = port, data, repeated
        self.poller, self.clients = select.epoll(), {}

    def connect(self, number):
        client = socket.socket()
        client.bind((f"127.0.0.{2 + number // CLIENTS_PER_ADDRESS}", 0))
        client.settimeout(20)
        client.connect(("127.0.0.1", self.port))
        client.sendall(self.data)
        self.clients[client.fileno()] = (client, number)
        return client

    def add(self, number):
        client = self.connect(number)
        if self.data.endswith(b"\r\n\r\n") and self.data.startswith(b"GET "):
            response = client.recv(4096)
            if not response.startswith(b"HTTP/1.1 200 "):
                sys.exit(f"client {number}: {response[:80]!r}")
        client.setblocking(False)
        self.poller.register(client, select.EPOLLIN | select.EPOLLRDHUP)

    def receive(self):
        """Discards what has arrived, and connects again where the server has closed."""
        while events := self.poller.poll(0, 1000):
            for descriptor, _ in events:
                client, number = self.clients[descriptor]
                with contextlib.suppress(BlockingIOError):
                    data = b""
                    with contextlib.suppress(ConnectionError):
                        data = client.recv(65536)
                    if not data:
                        del self.clients[descriptor]
                        self.poller.unregister(descriptor)
                        client.close()
                        self.add(number)

    def send(self):
        for client, _ in list(self.clients.values()):
            with contextlib.suppress(OSError):
                client.send(self.repeated)


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowd = Crowd(port, bytes.fromhex(sys.argv[3]), bytes.fromhex(sys.argv[4]))
    for number in range(count):
        crowd.add(number)
        if number % 100 == 99:
            crowd.receive()
    print("ready", flush=True)
    due = time.monotonic()
    while not select.select([sys.stdin], [], [], max(0, due - time.monotonic()))[0]:
        due += 1
        crowd.receive()
        if crowd.repeated:
            crowd.send()


if __name__ == "__main__":
    main()
