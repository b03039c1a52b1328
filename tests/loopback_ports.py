"""Ports for servers that tests start, kill, and start again."""

import random
import socket
from contextlib import suppress


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on now.

    None is of the range from which the kernel takes the ports of outgoing connections:
    a process that is killed finds its port free when it starts again.
    """
    ports: set[int] = set()
    while len(ports) < count:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports.add(port)
    return sorted(ports)
