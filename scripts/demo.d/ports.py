# SPDX-License-Identifier: Apache-2.0
"""The client of scripts/demo ports: short connections to a web server, as a program without a pool makes
them, and what connect() took.

ports.py ADDRESS PORT PER-SECOND SECONDS: prints one line of JSON: begin (of the clock that logs have), and
for each second how many connects there were, their median in microseconds, and the errors.
"""
import collections
import errno
import json
import socket
import statistics
import sys
import time

REQUEST = b"GET / HTTP/1.1\r\nHost: demo\r\n\r\n"
# as many are being answered at a time
UNDER_WAY = 20


def main(address, port, per_second, seconds):
    took = collections.defaultdict(list)
    errors = collections.defaultdict(collections.Counter)
    under_way = collections.deque()
    begin, wall = time.monotonic(), time.time()
    made = 0
    while (now := time.monotonic() - begin) < seconds:
        if now < made / per_second:
            time.sleep(made / per_second - now)
        # what was held up is not made up for at once
        made = max(made + 1, int(now * per_second) - per_second // 5)
        one = socket.socket()
        one.settimeout(5)
        start = time.monotonic()
        try:
            one.connect((address, port))
            took[int(start - begin)].append((time.monotonic() - start) * 1e6)
            one.sendall(REQUEST)
            under_way.append(one)
        except OSError as error:
            took[int(start - begin)].append((time.monotonic() - start) * 1e6)
            errors[int(start - begin)][errno.errorcode.get(error.errno, str(error))] += 1
            one.close()
        if len(under_way) > UNDER_WAY:
            answered = under_way.popleft()
            answered.recv(4096)
            answered.close()
    rows = [
        {"connects": len(took[s]), "median_us": statistics.median(took[s]) if took[s] else None, "errors": errors[s]}
        for s in range(seconds)
    ]
    print(json.dumps({"begin": wall, "seconds": rows}), flush=True)


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
