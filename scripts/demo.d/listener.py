# SPDX-License-Identifier: Apache-2.0
"""The clients of scripts/demo listener, and the application of its server.

listener.py load ADDRESS PORT SECONDS CLASS...: opens connections whatever becomes of those before, as many
people do. CLASS is NAME:SOURCE:PER-SECOND; a request that is not answered after PATIENCE has failed. Prints
one line of JSON: for each class what was sent, answered, refused, and failed otherwise, and the times of both in
milliseconds; those of the first seconds, in which things settle, are left out.
listener.py peak ADDRESS PORT SECONDS: as many answers a second as a few clients get that ask again and again.
"""
import asyncio
import collections
import json
import random
import statistics
import sys
import time

REQUEST = b"GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n"
PATIENCE = 2.0
SETTLING = 4.0
WORK = 0.005


def application(environ, start_response):
    """For gunicorn: a worker that takes its time, one request after the other."""
    time.sleep(WORK)
    start_response("200 OK", [("Content-Length", "3")])
    return [b"ok\n"]


async def ask(address, port, source):
    reader, writer = await asyncio.open_connection(address, port, local_addr=(source, 0) if source else None)
    try:
        writer.write(REQUEST)
        answer = await reader.read()
        if not answer.endswith(b"ok\n"):
            raise ConnectionError("cut off")
    finally:
        writer.transport.abort()


async def one(address, port, source, seen):
    begin = time.monotonic()
    try:
        await asyncio.wait_for(ask(address, port, source), PATIENCE)
        how = "answered"
    except ConnectionRefusedError:
        how = "refused"
    except (OSError, asyncio.TimeoutError):
        how = "failed"
    if seen is not None:
        seen[how].append((time.monotonic() - begin) * 1000)


async def open_loop(address, port, source, per_second, seconds, seen):
    begin = time.monotonic()
    at, tasks = 0.0, set()
    while (at := at + random.expovariate(per_second)) < seconds:
        if (wait := begin + at - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.ensure_future(one(address, port, source, seen if at >= SETTLING else None))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)


def summary(seen):
    out = {"sent": sum(map(len, seen.values()))}
    for how in ("answered", "refused", "failed"):
        took = sorted(seen[how])
        out[how] = len(took)
        out[how + "_p50_ms"] = statistics.median(took) if took else None
        out[how + "_p99_ms"] = took[len(took) * 99 // 100] if took else None
    return out


async def load(address, port, seconds, classes):
    seen = {name: collections.defaultdict(list) for name, _, _ in classes}
    await asyncio.gather(*(open_loop(address, port, source, per_second, seconds, seen[name])
                           for name, source, per_second in classes))
    print(json.dumps({"seconds": seconds - SETTLING, **{name: summary(one) for name, one in seen.items()}}))


async def peak(address, port, seconds):
    answers = 0

    async def again():
        nonlocal answers
        while time.monotonic() < end:
            await ask(address, port, None)
            answers += 1

    end = time.monotonic() + seconds
    await asyncio.gather(*(again() for _ in range(6)))
    print(json.dumps({"per_second": answers / seconds}))


def main():
    what, address, port, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    if what == "peak":
        asyncio.run(peak(address, port, seconds))
        return
    classes = []
    for word in sys.argv[5:]:
        name, source, per_second = word.split(":")
        classes.append((name, source, float(per_second)))
    asyncio.run(load(address, port, seconds, classes))


if __name__ == "__main__":
    main()
