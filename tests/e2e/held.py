#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does what systemd does with socket units: holds sockets, and hands them to a program (sd_listen_fds(3)).
As a program: held.py FD[,FD...] NAME[:NAME...] PROGRAM ARGUMENT... becomes the program, with these descriptors."""
import fcntl
import os
import socket
import sys

FIRST = 3
ASIDE = 100  # where descriptors are out of the way


class Sockets:
    """Listening sockets of one program, by name. They are closed at the end, not when the program ends."""

    def __init__(self, **sockets):
        self.sockets = sockets

    def argv(self, argv):
        numbers = ",".join(str(s.fileno()) for s in self.sockets.values())
        return [sys.executable, os.path.abspath(__file__), numbers, ":".join(self.sockets), *argv]

    def numbers(self):
        return tuple(s.fileno() for s in self.sockets.values())

    def close(self):
        for s in self.sockets.values():
            s.close()


def tcp(port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen(4096)
    return s


def udp(port, buffer):
    """SO_RCVBUFFORCE, as ReceiveBuffer= of a socket unit; without the right to it, what is allowed."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.setsockopt(socket.SOL_SOCKET, 33, buffer)
    except PermissionError:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    s.bind(("127.0.0.1", port))
    return s


def unix(path):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(64)
    return s


def main():
    numbers, names, program = sys.argv[1].split(","), sys.argv[2], sys.argv[3:]
    aside = [fcntl.fcntl(int(n), fcntl.F_DUPFD_CLOEXEC, ASIDE) for n in numbers]
    for i, fd in enumerate(aside):
        os.dup2(fd, FIRST + i)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(aside)), LISTEN_FDNAMES=names)
    os.execv(program[0], program)


if __name__ == "__main__":
    main()
