// SPDX-License-Identifier: Apache-2.0
// Promise (docs/no-harm.md): programs as Debian has them live through ordinary situations as they
// do without Ballast, with all guards enforced that may harm a connection.
#include "tests/e2e/failing.h"
#include "tests/e2e/kept_alive.h"
#include "tests/e2e/walled.h"
#include "tests/harness/databases.h"
#include "tests/harness/group.h"
#include "tests/harness/nginx.h"

#include <csignal>
#include <filesystem>

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace test_no_harm_programs {

using namespace ballast;
using namespace ballast::test;
using std::chrono::seconds;

namespace {

constexpr int start_s = 5; // keepalive_start: tighter than any program's own

/// `more` are further keys of half_open. Nothing holds an act back: no success outweighs failures,
/// the governor has no cap and never suspects this host.
std::string all_enforced(const std::string& more = "", int keepalive_s = start_s) {
    return policy({{.mode = "enforce"}}) +
           fmt::format("breaker = {{ mode = \"enforce\", failure_ratio = 0 }}\n"
                       "half_open = {{ mode = \"enforce\", action = \"reset\"{} }}\n"
                       "keepalive_start = \"{}s\"\n"
                       "keepalive = {{ mode = \"enforce\" }}\n"
                       "[governor]\nactions_per_minute = 10000\nresets_per_minute = 10000\n"
                       "breaker_opens_per_minute = 10000\nobserver_fault_ratio = 1.0\n",
                       more, keepalive_s);
}

bool is_connected_to(const Fd& socket, const Dest& dest) {
    const SocketAddress wanted(dest, dest.v4() ? AF_INET : AF_INET6);
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    return ::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&peer), &length) == 0 &&
           length == wanted.length && std::memcmp(&peer, &wanted.storage, length) == 0;
}

/// A copy of a program's connection to the destination; empty while it has none.
Fd connection_of(const Process& program, const Dest& dest) {
    std::error_code ended;
    for (const auto& entry :
         std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", program.pid()), ended)) {
        Fd copy(static_cast<int>(::syscall(SYS_pidfd_getfd, program.pidfd(),
                                           std::stoi(entry.path().filename().string()), 0)));
        if (copy && is_connected_to(copy, dest))
            return copy;
    }
    return {};
}

/// Waits for it.
Fd& await_connection(const Process& program, const Dest& dest) {
    auto& socket = make<Fd>();
    await(
        [&] {
            socket = connection_of(program, dest);
            return static_cast<bool>(socket);
        },
        "a connection to " + dest.text());
    return socket;
}

/// What a program wrote is in `file`, which is shown when the test fails.
struct Program {
    Process process;
    std::string file;

    [[nodiscard]] std::string said() const { return read_file(file); }
};

Program& start(Command command) {
    auto& program = make<Program>();
    program.file = command.output = make_temp_dir() + "/output";
    Registry::current().on_failure(
        [&program, name = command.argv.front()] { note(name + ": " + program.said()); });
    program.process.start(command);
    return program;
}

/// Debian's own, which another that comes first in PATH need not be.
Program& start_python(const Netns& where, const char* text, const std::vector<std::string>& words) {
    std::vector<std::string> argv = {"/usr/bin/python3", "-u", "-c", text};
    argv.insert(argv.end(), words.begin(), words.end());
    return start({.argv = std::move(argv), .network_namespace = where.fd()});
}

void await_said(const Program& program, const std::string& text) {
    await([&] { return program.said().find(text) != std::string::npos; }, "\"" + text + "\"");
}

void check_ends_well(Program& program, std::string_view what) {
    const auto status = program.process.wait(patience(seconds(60)));
    check(status.has_value(), fmt::format("{} ends", what));
    check_equal(*status, 0, fmt::format("status of {}, which said {}", what, program.said()));
}

/// With a sweep each second.
void sweep_until(const Scene& scene, const std::function<bool()>& holds, std::string_view what) {
    if (!wait_until(scene.ballastd.sweeping(holds), patience(seconds(60))))
        fail_test(fmt::format("waited without success for {}", what));
}

void sweep_for(const Scene& scene, seconds time) {
    const auto until = Clock::now() + time;
    sweep_until(
        scene, [&] { return Clock::now() >= until; }, "time to pass");
}

int unacked(const Fd& socket) {
    int bytes = -1;
    need(::ioctl(socket.get(), SIOCOUTQ, &bytes) == 0, "SIOCOUTQ");
    return bytes;
}

/// Bytes wait to be sent, and none is under way.
bool is_window_shut(const Fd& socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    need(::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0, "TCP_INFO");
    return info.tcpi_unacked == 0 && unacked(socket) > 0;
}

void check_nothing_done(const Scene& scene) {
    check_equal(scene.ballastd.status().at("half_open").at("reset").get<long>(), 0L, "resets");
    for (const auto& line : log_lines(scene, {"reason=breaker_opened"}))
        fail_test("a breaker opened: " + line);
}

void check_nothing_found(const Scene& scene) {
    check_nothing_done(scene);
    for (const auto& line : log_lines(scene, {"finding reason=half_open_flow"}))
        fail_test("found in error: " + line);
}

/// For COPY: more than all buffers between the two take.
constexpr int rows = 80'000;

std::string file_of_rows() {
    auto file = make_temp_dir() + "/rows";
    std::string text;
    for (int i = 1; i <= rows; ++i)
        text += fmt::format("{}\t{:x>200}\n", i, i);
    write_file(file, text);
    return file;
}

/// A2. The first row's key is another transaction's until that ends, so the server waits, and reads
/// nothing more.
void a_copy_behind_a_row_lock(const Family& family) {
    auto& scene = make_scene(all_enforced());
    auto& postgres = make<Postgres>(scene.link);
    const Dest dest{family.server, Postgres::port};
    postgres.ask(dest, "create table t (id int primary key, line text)");
    start(postgres.psql(dest,
                        {"begin", "insert into t values (1, 'held')", "select pg_sleep(3600)"}));
    const std::string sleeps = " from pg_stat_activity where wait_event = 'PgSleep'";
    await([&] { return postgres.ask(dest, "select count(*)" + sleeps) == "1"; }, "the lock");
    auto& copy = start(postgres.psql(dest, {"\\copy t from '" + file_of_rows() + "'"}));
    auto& socket = await_connection(copy.process, dest);
    await([&] { return is_window_shut(socket); }, "the window to shut");
    const auto flow = local_text(socket) + "->";
    const auto found = [&] {
        return log_lines(scene, {"finding reason=half_open_flow", "kind=peer_hung ", flow});
    };
    sweep_until(
        scene, [&] { return !found().empty(); }, "the finding");
    note(found().front());
    check(found().front().find("act=none why=kind") != std::string::npos, "it is left alone");
    sweep_for(scene, seconds(8));
    check(is_window_shut(socket), "it still waits");
    check_equal(keepalive_of(socket).user_timeout_ms, 0, "user timeout");
    check_ballasts(keepalive_of(socket), start_s, "it is kept alive");
    socket.reset();
    check_equal(postgres.ask(dest, "select count(*)" + sleeps), std::string("1"), "still locked");
    postgres.ask(dest, "select pg_terminate_backend(pid)" + sleeps);
    check_ends_well(copy, "COPY");
    check_equal(postgres.ask(dest, "select count(*) from t"), std::to_string(rows), "rows");
    check_nothing_done(scene);
}

/// A19. Programs in Go ask for keepalive once they are connected: 15 s and 15 s.
void hey_keeps_its_own(const Family& family) {
    const KeptAlive own{1, 15, 15, 9, 0};
    auto& scene = make_scene(all_enforced());
    auto& nginx = make<Nginx>(scene.link.server);
    const Dest dest{family.server, nginx.next_port()};
    auto& hey =
        start({.argv = {"hey", "-z", "300s", "-c", "1", "-q", "4", "http://" + dest.text() + "/"},
               .network_namespace = scene.link.client.fd()});
    const auto await_more = [&](unsigned more) {
        const auto wanted = nginx.requests(dest.port) + more;
        await([&] { return nginx.requests(dest.port) >= wanted; }, "hey to ask on");
    };
    await_more(1);
    auto& socket = await_connection(hey.process, dest);
    const auto check_tightened = [&](const char* when) {
        scene.ballastd.sweep();
        check_ballasts(keepalive_of(socket), start_s, when);
        check(keepalive_of(socket).interval_s < own.interval_s, "the interval too");
    };
    check_tightened("by Ballast");
    scene.ballastd.json({"disarm"});
    scene.ballastd.sweep();
    check_same(keepalive_of(socket), own, "its own, disarmed");
    scene.ballastd.json({"arm"});
    check_tightened("armed again");
    check_nothing_found(scene);
    scene.ballastd.json({"unload"});
    check_same(keepalive_of(socket), own, "its own, unloaded");
    await_more(2);
    socket.reset();
    hey.process.signal(SIGINT);
    check_ends_well(hey, "hey");
    check(hey.said().find("[200]") != std::string::npos, "it was served");
    check(hey.said().find("Error distribution") == std::string::npos, "hey: " + hey.said());
}

constexpr const char* slow_reader = R"(
import asyncio, sys
async def serve(reader, writer):
    got = 0
    while block := await reader.read(65536):
        got += len(block)
        await asyncio.sleep(0.1)
    print("bytes", got)
    writer.close()
async def main():
    server = await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2]))
    print("listens")
    await server.serve_forever()
asyncio.run(main())
)";

/// As fast as it can until SIGUSR1, and to the end of the stream at the second one.
constexpr const char* fast_writer = R"(
import asyncio, signal, sys
async def main():
    signals = asyncio.Queue()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, signals.put_nowait, None)
    reader, writer = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    sent = 0
    while signals.empty():
        writer.write(bytes(65536))
        sent += 65536
        await writer.drain()
    for _ in range(2):
        await signals.get()
    writer.write_eof()
    await reader.read()
    print("bytes", sent)
asyncio.run(main())
)";

/// A1, and A16: the server never answers, while the policy gives it a second.
void a_slow_server_of_asyncio(const Family& family) {
    auto& scene = make_scene(all_enforced(", response_timeout = \"1s\""));
    const Dest dest{family.server, 7000};
    const std::vector<std::string> words = {dest.host, std::to_string(dest.port)};
    const auto& server = start_python(scene.link.server, slow_reader, words);
    await_said(server, "listens");
    auto& client = start_python(scene.link.client, fast_writer, words);
    auto& socket = await_connection(client.process, dest);
    await([&] { return is_window_shut(socket); }, "the window to shut at times");
    sweep_for(scene, seconds(14));
    check_nothing_found(scene);
    client.process.signal(SIGUSR1);
    sweep_until(
        scene, [&] { return unacked(socket) == 0; }, "all to be taken");
    sweep_for(scene, seconds(4));
    check_equal(tcp_state(socket), TCP_ESTABLISHED, "its state");
    socket.reset();
    client.process.signal(SIGUSR1);
    check_ends_well(client, "the client");
    note("the client wrote " + client.said());
    check(server.said().ends_with(client.said()), "the server got " + server.said());
    check_nothing_found(scene);
}

/// A pool of five that asks once on each, and once more at each SIGUSR1, in turn. It connects
/// again where that fails, as pools do.
constexpr const char* http_pool = R"(
import http.client, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
pool = [http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=60) for _ in range(5)]
def ask(one):
    one.request("GET", "/")
    answer = one.getresponse()
    answer.read()
    return answer.status
for number, one in enumerate(pool):
    print("first", number, ask(one))
for number, one in enumerate(pool):
    signal.sigwait({signal.SIGUSR1})
    try:
        print("lives", number, ask(one))
    except (OSError, http.client.HTTPException) as error:
        print("lost", number, type(error).__name__)
        one.close()
        print("again", number, ask(one))
)";

/// B1. The pool meets the restart one by one, long after it; no probe of keepalive does so before.
void nginx_restarts(const Family& family) {
    auto& scene = make_scene(all_enforced("", 60));
    auto& nginx = make<Nginx>(scene.link.server);
    const Dest dest{family.server, nginx.next_port()};
    auto& pool = start_python(scene.link.client, http_pool, {dest.host, std::to_string(dest.port)});
    await_said(pool, "first 4 200");
    nginx.kill();
    // So there is a breaker, to which old connections may be reported.
    for (int i = 0; i < 3; ++i)
        check_errno(error_of(scene, dest), ECONNREFUSED, "nobody listens");
    nginx.start();
    auto& socket = await_connection(pool.process, dest);
    await([&] { return silent_ms(socket) > 1500; }, "the pool to be silent");
    socket.reset();
    for (unsigned i = 0; i < 5; ++i) {
        pool.process.signal(SIGUSR1);
        await([&] { return log_lines(scene, {"kind=refused_late "}).size() > i; }, "the finding");
        check_errno(error_of(scene, dest), 0, fmt::format("fresh connect {}", i));
        await_said(pool, fmt::format("again {} 200", i));
    }
    check_ends_well(pool, "the pool");
    note(pool.said());
    const auto hey = run_ok({.argv = {"hey", "-n", "50", "-c", "5", "-disable-keepalive",
                                      "http://" + dest.text() + "/"},
                             .network_namespace = scene.link.client.fd()});
    check(hey.find("[200]\t50 responses") != std::string::npos, "fifty more connects: " + hey);
    check_nothing_done(scene);
}

/// No response_timeout is set, so that an answer may take any time.
void a_query_behind_a_lock(const Family& family) {
    auto& scene = make_scene(all_enforced());
    auto& mariadb = make<Mariadb>(scene.link);
    const Dest dest{family.server, Mariadb::port};
    const auto id_in = [&](const std::string& state) {
        return mariadb.ask(dest, "select id from information_schema.processlist where state = '" +
                                     state + "'");
    };
    start(mariadb.client(dest, "do get_lock('one', 0); do sleep(3600)"));
    await([&] { return !id_in("User sleep").empty(); }, "the lock");
    auto& query = start(mariadb.client(dest, "select 'got', get_lock('one', 3600)"));
    await([&] { return !id_in("User lock").empty(); }, "the query to wait");
    auto& socket = await_connection(query.process, dest);
    sweep_for(scene, seconds(14));
    check_ballasts(keepalive_of(socket), start_s, "it is kept alive");
    check_equal(tcp_state(socket), TCP_ESTABLISHED, "its state");
    socket.reset();
    check_nothing_found(scene);
    mariadb.ask(dest, "kill " + id_in("User sleep"));
    check_ends_well(query, "the query");
    check_equal(query.said(), std::string("got\t1\n"), "its answer");
    check_nothing_found(scene);
}

} // namespace

TEST_GROUP(no_harm_programs) {
    // The longest first.
    return Suite()
        .each(families, "a COPY of psql behind a row lock", a_copy_behind_a_row_lock)
        .each(families, "a slow server of asyncio", a_slow_server_of_asyncio)
        .each(families, "a query of MariaDB's behind a lock", a_query_behind_a_lock)
        .each(families, "nginx restarts under a pool", nginx_restarts)
        .each(families, "hey keeps its own", hey_keeps_its_own)
        .run_at_once("no_harm_programs", 6);
}

} // namespace test_no_harm_programs
