"""A process full of clients that say nothing: `python -m tests.faults.idle_clients PORT COUNT [HEX]`.

Opens the connections, sends each the bytes given in hexadecimal, prints a line, and holds them until stdin closes.
"""

import resource
import socket
import sys


def main(port: int, count: int, data: bytes) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port), timeout=15)
        client.sendall(data)
        clients.append(client)
    print("connected", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), bytes.fromhex("".join(sys.argv[3:])))
