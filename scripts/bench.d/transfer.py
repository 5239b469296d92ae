# SPDX-License-Identifier: Apache-2.0
"""A bulk transfer for scripts/bench listener.

transfer.py serve ADDRESS PORT: takes what comes, connection by connection; prints a line when it listens.
transfer.py ADDRESS PORT SECONDS: sends for so long, and prints Mbit/s.
"""
import socket
import sys
import time


def serve(address, port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen()
    print("ready", flush=True)
    buffer = bytearray(1 << 20)
    while True:
        one, _ = listener.accept()
        with one:
            while one.recv_into(buffer):
                pass


def send(address, port, seconds):
    block = bytes(1 << 18)
    sent = 0
    with socket.create_connection((address, port)) as one:
        begin = time.monotonic()
        while (took := time.monotonic() - begin) < seconds:
            sent += one.send(block)
    print(round(sent * 8 / took / 1e6))


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
else:
    send(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
