# SPDX-License-Identifier: Apache-2.0
"""The programs of `demo no-harm`: servers beyond the path, a group of clients, and the table.

Servers and clients wait for a file that says when second 0 is, and then keep one timetable. What strikes
the path does so at second STRIKE. A request is a length and so many bytes; its answer is one byte.
"""

import errno
import json
import os
import signal
import socket
import struct
import sys
import threading
import time

SERVER = "198.18.0.1"
CLIENT = "198.18.1.1"
SECOND_UPLINK = "198.18.1.3"

# Of each row, the port that is served for the group with Ballast. A10's server is a program of the group
# itself, on the clients' host. The other group has ports of its own: connections of neighbours are evidence
# too, and those without Ballast are not to be any.
PORTS = {"A1": 9001, "A2": 9002, "A3": 9003, "A4": 9004, "A8": 9008, "A9": 9009, "A10": 9010, "A11": 9011,
         "B1": 9101, "B7": 9107, "forgotten": 9120}
GROUPS = {"with": 0, "without": 200}

# Source ports by which the firewall knows whom it strikes; the others are from 10000 on.
HELD = {"with": 7100, "without": 7120}
ASLEEP = {"with": 7200, "without": 7220}
FORGOTTEN = {"with": 7300, "without": 7320}

# Seconds of the timetable; the script's cuts belong to it.
STRIKE = 8
WINDOW_OPENS = 32
PATH_IS_BACK = 38  # for the idle ones, which are the last
OUTAGE_OF_CALLERS_ENDS = 16
ACCEPTS_AGAIN = 20.5
RESTARTS = 9
POOL_ASKS = 11
SLOW_READER_ENDS = 34
ENDS = 40
# TCP sends again after 0.2 s, 0.4 s and so on: what was cut for 20 s may stand still for 20 s more.
GIVES_UP = 75

# What a busy machine may add to the time until a caller is answered; breakers have 1.25 s of it.
TOLERATED_S = 3

zero = 0.0
group_name = "with"


def port_of(row):
    return PORTS[row] + GROUPS[group_name]


def now():
    return time.monotonic() - zero


def wait_for(second):
    time.sleep(max(0.0, second - now()))


def wait_for_start(file):
    global zero
    while not os.path.exists(file):
        time.sleep(0.05)
    with open(file) as text:
        zero = time.monotonic() + float(text.read()) - time.time()


def spawn(work, *args):
    thread = threading.Thread(target=work, args=args, daemon=True)
    thread.start()
    return thread


def receive(connection, count):
    """So many bytes, or None at the end of the stream."""
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            return None
        data += more
    return data


def ask(connection, size=1):
    connection.sendall(struct.pack("!I", size) + bytes(size))
    if receive(connection, 1) is None:
        raise OSError(errno.EPIPE, "closed by the peer")


def answer_all(connection):
    """Answers requests until the connection ends."""
    try:
        while (head := receive(connection, 4)) is not None:
            receive(connection, struct.unpack("!I", head)[0])
            connection.sendall(b"k")
    except OSError:
        pass
    connection.close()


# The servers

def listen(address, port, backlog=128, receive_buffer=None):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if receive_buffer:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    listener.bind((address, port))
    listener.listen(backlog)
    return listener


def accept_all(listener, work):
    while True:
        connection, _ = listener.accept()
        spawn(work, connection)


def read_slowly(connection):
    """A1: 8 KiB each 0.1 s, without a longer pause."""
    try:
        while connection.recv(1 << 13 if now() < SLOW_READER_ENDS else 1 << 18):
            if now() < SLOW_READER_ENDS:
                time.sleep(0.1)
        connection.sendall(b"k")
    except OSError:
        pass


def stop_reading(connection):
    """A2: reads nothing from STRIKE to WINDOW_OPENS."""
    try:
        while (head := receive(connection, 4)) is not None:
            size = struct.unpack("!I", head)[0]
            if size > 1:
                wait_for(WINDOW_OPENS)
            receive(connection, size)
            connection.sendall(b"k")
    except OSError:
        pass


def stop_accepting(listener):
    """A8: accepts nobody from second 4.5 to ACCEPTS_AGAIN."""
    while True:
        if 4.5 < now() < ACCEPTS_AGAIN:
            wait_for(ACCEPTS_AGAIN)
        listener.settimeout(0.2)
        try:
            connection, _ = listener.accept()
            connection.settimeout(None)
            spawn(answer_all, connection)
        except TimeoutError:
            pass


def restart(listeners):
    """B1: a process of its own, which is killed. Its RSTs are lost, as when a host loses power: the
    firewall drops them."""
    first = os.fork()
    if first == 0:
        for listener in listeners:
            spawn(accept_all, listener, lose_at_the_end)
        time.sleep(GIVES_UP)
        os._exit(0)

    def go_on():
        wait_for(RESTARTS)
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
        for listener in listeners:
            spawn(accept_all, listener, answer_all)

    spawn(go_on)


def lose_at_the_end(connection):
    # Closed by the kernel, it is gone at once and waits for no acknowledgement.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    answer_all(connection)


def remote_client(port, source_port):
    """A10: answers what the server sends. One that is asleep is cut off by the firewall."""
    while True:
        try:
            connection = socket.socket()
            if source_port:
                connection.bind((SERVER, source_port))
            connection.connect((CLIENT, port))
            break
        except OSError:
            connection.close()
            time.sleep(0.1)
    answer_all(connection)


def run_servers(start_file):
    small = 1 << 14
    listeners = [(row, listen(SERVER, port + offset, 1 if row == "A8" else 128,
                              small if row in ("A1", "A2") else None))
                 for row, port in PORTS.items() if row != "A10" for offset in GROUPS.values()]
    print("listening", flush=True)
    wait_for_start(start_file)
    restart([listener for row, listener in listeners if row == "B1"])  # it forks: before there are threads
    for row, listener in listeners:
        if row == "A8":
            spawn(stop_accepting, listener)
        elif row != "B1":
            spawn(accept_all, listener, {"A1": read_slowly, "A2": stop_reading}.get(row, answer_all))
    for group, offset in GROUPS.items():
        for source_port in (ASLEEP[group], 0, 0):
            spawn(remote_client, PORTS["A10"] + offset, source_port)
    time.sleep(GIVES_UP + 60)


# The clients

class Group:
    """One flow is one connection, or in B1 and B7 one that its program makes again."""

    def __init__(self):
        self.rows = {}
        self.threads = []

    def flow(self, row, work, *args, is_awaited=True):
        """`work` returns when the flow has shown that it lives, and raises OSError when it does not."""
        fate = {"lived": False, "error": "hangs"}
        self.rows.setdefault(row, []).append(fate)

        def live():
            try:
                work(fate, *args)
                fate["lived"] = True
                fate["error"] = None
            except OSError as error:
                fate["error"] = errno.errorcode.get(error.errno, str(error))
                fate["after_s"] = round(now() - STRIKE, 1)

        thread = spawn(live)
        if is_awaited:
            self.threads.append(thread)


def connect(row, source=CLIENT, source_port=0, send_buffer=None, within=None):
    connection = socket.socket()
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if send_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        if source != CLIENT or source_port:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            connection.bind((source, source_port))
        connection.settimeout(within)
        connection.connect((SERVER, port_of(row)))
        connection.settimeout(None)
        return connection
    except OSError:
        connection.close()
        raise


def used(row, **how):
    """A connection that has sent enough to show that its path loses little."""
    connection = connect(row, **how)
    for _ in range(25):
        ask(connection)
    return connection


def be_busy(fate, row, how=None, size=1):
    connection = used(row, **(how or {}))
    while now() < ENDS:
        ask(connection, size if now() > STRIKE + 0.5 else 1)
        time.sleep(0.2)
    ask(connection)


def write_on(fate):
    connection = connect("A1", send_buffer=1 << 16)
    while now() < SLOW_READER_ENDS:
        connection.sendall(b"x" * 4096)
    connection.shutdown(socket.SHUT_WR)
    if receive(connection, 1) is None:
        raise OSError(errno.EPIPE, "closed by the peer")


def write_to_one_that_stops(fate):
    connection = used("A2", send_buffer=1 << 16)
    wait_for(STRIKE)
    ask(connection, 1 << 20)
    ask(connection)


def be_idle(fate, user_timeout_s):
    connection = used("A3")
    if user_timeout_s:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, user_timeout_s * 1000)
    wait_for(PATH_IS_BACK + 2)
    ask(connection)


def wait_in_the_queue(fate, connect_at, source_port):
    wait_for(connect_at)
    connection = connect("A8", source_port=source_port)
    wait_for(STRIKE + 0.5)
    ask(connection)
    ask(connection)


def serve_remote_clients(group):
    """A10: three clients, of which that with a known port falls asleep."""
    listener = listen(CLIENT, port_of("A10"))
    made = {False: [], True: []}
    has_come = threading.Condition()

    def admit():
        while True:
            connection, (_, port) = listener.accept()
            with has_come:
                made[port == ASLEEP[group_name]].append(connection)
                has_come.notify_all()

    def serve(fate, is_asleep):
        with has_come:
            has_come.wait_for(lambda: made[is_asleep])
            connection = made[is_asleep].pop()
        for _ in range(25):
            ask(connection)
        while now() < ENDS:
            ask(connection)
            time.sleep(0.2)
        ask(connection)

    spawn(admit)
    group.flow("A10", serve, True)
    for _ in range(2):
        group.flow("A10", serve, False)


def reconnect(row, fate, until, within=None):
    """As a pool does: again and again, with a short pause."""
    while now() < until:
        try:
            return connect(row, within=within)
        except TimeoutError:
            pass
        except OSError:
            fate["refused"] = fate.get("refused", 0) + 1
        time.sleep(0.1)
    raise OSError(errno.ETIMEDOUT, "no connection")


def be_pooled(fate, number):
    connection = used("B1")
    wait_for(POOL_ASKS + number * 0.3)
    try:
        ask(connection)
    except OSError:
        connection = reconnect("B1", fate, GIVES_UP)
        ask(connection)
    if fate.get("refused"):
        raise OSError(errno.ECONNREFUSED, "while the server was there")
    wait_for(ENDS)
    ask(connection)


def call(fate):
    """B7: a program with a time-out of 1 s for an answer, and 1.2 s for a connection."""
    connection = connect("B7")
    while True:
        try:
            connection.settimeout(1)
            ask(connection)
            if now() > OUTAGE_OF_CALLERS_ENDS:
                break
            time.sleep(0.2)
        except OSError:
            connection.close()
            connection = reconnect("B7", fate, GIVES_UP, within=1.2)
    fate["back_s"] = round(now() - OUTAGE_OF_CALLERS_ENDS, 1)
    connection.settimeout(None)  # a busy machine's pause is no outage
    while now() < ENDS:
        time.sleep(0.2)
        ask(connection)


def wait_for_what_was_forgotten(fate, source_port):
    connection = used("forgotten", source_port=source_port)
    wait_for(STRIKE + 1)
    asked = now()
    try:
        ask(connection)
    except OSError:
        fate["freed_s"] = round(now() - asked, 1)
        ask(connect("forgotten"))


def connect_elsewhere(fate):
    """Fresh connects to what is well. Without them, B7's destination would be most of those that anyone
    tries to reach, and Ballast would rather doubt this host than open its breaker."""
    while now() < ENDS:
        for row in ("A1", "A2", "A9", "A11", "forgotten"):
            try:
                connect(row).close()
            except OSError:
                fate["refused"] = fate.get("refused", 0) + 1
        time.sleep(1)
    if fate.get("refused"):
        raise OSError(errno.ECONNREFUSED, "while the server was there")


def run_clients(name, start_file):
    global group_name
    group_name = name
    group = Group()
    wait_for_start(start_file)
    wait_for(0)
    for _ in range(2):
        group.flow("A1", write_on)
        group.flow("A2", write_to_one_that_stops)
    for user_timeout_s in (12, 12, 0, 0):
        group.flow("A3", be_idle, user_timeout_s)
    for _ in range(4):
        group.flow("A4", be_busy, "A4")
    for _ in range(2):
        group.flow("A8", be_busy, "A8")
    for i in range(2):
        group.flow("A8", wait_in_the_queue, 5, HELD[name] + i)
        group.flow("A8", wait_in_the_queue, 6.5, 0)
    for size in (1400, 1400, 1):
        group.flow("A9", be_busy, "A9", None, size)
    serve_remote_clients(group)
    for source in (SECOND_UPLINK, SECOND_UPLINK, CLIENT, CLIENT):
        group.flow("A11", be_busy, "A11", {"source": source})
    for i in range(12):
        group.flow("B1", be_pooled, i)
    for _ in range(10):
        group.flow("B7", call)
    group.flow("elsewhere", connect_elsewhere)
    group.flow("elsewhere", be_busy, "forgotten")
    for i in range(3):
        group.flow("forgotten", wait_for_what_was_forgotten, FORGOTTEN[name] + i, is_awaited=False)
    for thread in group.threads:
        thread.join(max(0.0, GIVES_UP - now()))
    print(json.dumps(group.rows), flush=True)
    os._exit(0)  # whatever still hangs


# The table

WHAT_HAPPENS = {
    "A1": "its reader is slow and never pauses",
    "A2": "its peer's window is shut for 24 s",
    "A3": "idle; user timeout 12 s, cut for 30 s",
    "A4": "in use; cut for 12 s",
    "A8": "not accepted yet; the queue is full",
    "A9": "the path swallows large packets",
    "A10": "a client behind NAT sleeps for 16 s",
    "A11": "one of two uplinks is cut for 14 s",
    "B1": "pooled; the server restarts",
    "B7": "callers; cut for 8 s",
    "forgotten": "a firewall forgot it: here it helps",
}
LINE = "{:<4}{:<38}{:<15}{:<15}{}"


def destination_port(finding):
    return int(finding["destination"].rsplit(":", 1)[1]) if finding["destination"] else 0


def said_of(row, findings, flows):
    ports = range(ASLEEP["with"], ASLEEP["with"] + 20) if row == "A10" else [PORTS[row]]
    about = [one for one in findings if destination_port(one) in ports]
    said = []
    for one in about:
        name = one["kind"] if one["reason"] == "half_open_flow" else one["reason"]
        if one["reason"] in ("half_open_flow", "breaker_opened") and name not in said:
            said.append(name)
    if row == "B7":  # that its path is down goes without saying
        said = [name for name in said if name == "breaker_opened"]
    if row == "A3":
        reasons = [(flow["keepalive"] or {}).get("why_not") for flow in flows]
        said = ["keepalive left alone"] if "user_timeout" in reasons else []
    if any(one["acted"] and one["reason"].startswith("half_open") for one in about):
        said.append("reset")
    return said


def cell(fates):
    """How many live, or are back or freed and after how long; and how many are not."""
    lived = [fate for fate in fates if fate["lived"]]
    hang = sum(1 for fate in fates if fate["error"] == "hangs")
    died = len(fates) - len(lived) - hang
    after = [fate.get("back_s", fate.get("freed_s")) for fate in lived]
    parts = []
    if lived and None not in after:
        parts.append(f"{len(lived)} {'back' if 'back_s' in lived[0] else 'freed'}, {max(after)} s")
    elif lived:
        parts.append(f"{len(lived)} live")
    if died:
        parts.append(f"{died} died")
    if hang:
        parts.append(f"{hang} hang")
    return ", ".join(parts)


def harm_of(row, alone, governed):
    """In words, what happened to flows whose twins fared better without Ballast."""
    found = []
    latest = max((fate["back_s"] for fate in alone if "back_s" in fate), default=None)
    for twin, fate in zip(alone, governed, strict=True):
        if not twin["lived"]:
            continue
        if not fate["lived"]:
            after = f" after {fate['after_s']} s" if "after_s" in fate else ""
            found.append(f"{fate['error']}{after}")
        elif latest is not None and fate["back_s"] > latest + TOLERATED_S:
            found.append(f"back after {fate['back_s']} s, not {latest} s")
    return [f"{row}: {len(found)} fared worse with Ballast: {', '.join(sorted(set(found)))}"] if found else []


def show_table(without_file, with_file, findings_file, flows_file):
    """Exit status 1 where anything that lived without Ballast did not live with it."""
    with open(without_file) as text:
        without = json.load(text)
    with open(with_file) as text:
        governed = json.load(text)
    with open(findings_file) as text:
        findings = json.load(text)["findings"]
    with open(flows_file) as text:
        flows = json.load(text)["flows"]

    rows = [row for row in WHAT_HAPPENS if row != "forgotten"]
    complaints = []
    print(LINE.format("ROW", "WHAT HAPPENS TO THE CONNECTION", "WITHOUT", "WITH BALLAST", "BALLAST SAID"))
    for row in WHAT_HAPPENS:
        said = said_of(row, findings, flows)
        refused = sum(fate.get("refused", 0) for fate in governed[row])
        if refused:
            said.append(f"{refused} refused")
        print(LINE.format("" if row == "forgotten" else row, WHAT_HAPPENS[row], cell(without[row]),
                          cell(governed[row]), ", ".join(said) or "nothing"))
        if row in rows and not any(fate["lived"] for fate in without[row]):
            complaints.append(f"{row}: none lived without Ballast either, so it shows nothing")
        complaints += harm_of(row, without[row], governed[row]) if row in rows else []
    complaints += harm_of("elsewhere", without["elsewhere"], governed["elsewhere"])
    if not any("freed_s" in fate for fate in governed["forgotten"]):
        complaints.append("Ballast reset none that was forgotten: it was not at work")

    print()
    if complaints:
        print("\n".join(complaints))
        print("The promise does not hold.")
        return 1
    lived = sum(fate["lived"] for row in rows for fate in without[row])
    print(f"All {lived} connections that lived without Ballast lived with it, in all {len(rows)} rows.")
    return 0


if __name__ == "__main__":
    sys.exit({"servers": run_servers, "clients": run_clients, "table": show_table}[sys.argv[1]](*sys.argv[2:]))
