// SPDX-License-Identifier: Apache-2.0
// Promise: behind a transparent proxy of this host each connection counts once, as the proxy's to
// the destination; and one that finds no place is refused at once, before the proxy sees it.
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"
#include "tests/harness/nginx.h"
#include "tests/harness/sandbox.h"

#include <cerrno>
#include <sys/socket.h>

namespace test_local_proxy {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr unsigned limit = 10;
constexpr unsigned proxy_user = 65534; // "nobody": whom the redirection spares
constexpr int proxy_port = 15001;

Scene* scene = nullptr;
Nginx* nginx = nullptr;

const Netns& client() {
    return scene->link.client;
}

/// HAProxy in TCP mode: one connection to the destination for each that it accepts.
void start_haproxy(const Dest& dest) {
    const auto directory = make_temp_dir();
    const char* own = dest.v4() ? "127.0.0.1" : "[::1]";
    write_file(directory + "/haproxy.cfg",
               fmt::format("global\n  uid {}\n  maxconn 200\n"
                           "defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 1h\n"
                           "  timeout server 1h\n  retries 0\n"
                           "frontend app\n  bind {}:{}\n  default_backend database\n"
                           "backend database\n  server one {}\n",
                           proxy_user, own, proxy_port, dest.text()));
    auto& haproxy = make<Process>();
    haproxy.start({.argv = {"haproxy", "-db", "-f", directory + "/haproxy.cfg"},
                   .network_namespace = client().fd(),
                   .output = directory + "/output"});
    Registry::current().on_failure(
        [directory] { note("haproxy: " + read_file(directory + "/output")); });
    await(
        [&] {
            return attempt(client(), {dest.v4() ? "127.0.0.1" : "::1", proxy_port}).error == 0;
        },
        "haproxy listens");
}

/// Sends what is for the destination to the proxy, but for the proxy's own.
void redirect(const Dest& dest) {
    const auto file = make_temp_dir() + "/rules.nft";
    write_file(file, fmt::format("table inet proxy {{\nchain out {{\n"
                                 "type nat hook output priority -100; policy accept;\n"
                                 "meta skuid != {} tcp dport {} redirect to :{}\n}}\n}}\n",
                                 proxy_user, dest.port, proxy_port));
    client().exec({"nft", "-f", file});
}

/// Through the proxy and back: what is held is a connection to the destination.
Fd ask(const Dest& dest) {
    auto made = attempt(client(), dest);
    check_errno(made.error, 0,
                fmt::format("connect through the proxy with {} served, {} in use",
                            ss_served(scene->link.server.fd(), dest, "ESTAB"),
                            scene->ballastd.in_use(dest)));
    constexpr std::string_view question = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
    need(::send(made.socket.get(), question.data(), question.size(), MSG_NOSIGNAL) > 0, "send");
    char answer[1024];
    check(::recv(made.socket.get(), answer, sizeof answer, 0) > 0, "the destination answers");
    return std::move(made.socket);
}

/// By the first connection that a sweep meets.
void learn_of_the_proxy(const Dest& dest) {
    await_in_use(scene->ballastd, dest, 0);
    const Fd first = ask(dest);
    scene->ballastd.sweep();
    check_equal(scene->ballastd.in_use(dest), 1L, "in_use of the first, after a sweep");
}

void counts_once(const Family& family) {
    scene = &make_scene(limit_policy(limit));
    nginx = &make<Nginx>(scene->link.server);
    const Dest dest{family.server, nginx->next_port()};
    start_haproxy(dest);
    redirect(dest);
    learn_of_the_proxy(dest);
    auto& open = make<std::vector<Fd>>();
    while (open.size() < limit)
        open.push_back(ask(dest));
    check_equal(scene->ballastd.in_use(dest), long{limit}, "in_use with the limit's number open");
    check_equal(ss_served(scene->link.server.fd(), dest, "ESTAB"), limit,
                "connections that the destination sees");
    check_refused(*scene, dest, "one more");
    scene->ballastd.sweep();
    check_equal(scene->ballastd.in_use(dest), long{limit}, "in_use after a sweep");
    check_equal(scene->ballastd.value(dest, "drift"), 0L, "drift");
    open.pop_back();
    await_in_use(scene->ballastd, dest, limit - 1);
    open.push_back(ask(dest));
    open.clear();
    await_in_use(scene->ballastd, dest, 0);
    check_no_repairs(scene->ballastd);
}

/// Opened before the limit: a sweep counts the proxy's connection, not the program's.
void older_counts_once(const Family& family) {
    scene = &make_scene(limit_policy(limit, "off"));
    nginx = &make<Nginx>(scene->link.server);
    const Dest dest{family.server, nginx->next_port()};
    start_haproxy(dest);
    redirect(dest);
    auto& open = make<std::vector<Fd>>();
    while (open.size() < 3)
        open.push_back(ask(dest));
    scene->ballastd.enforce(limit_policy(limit));
    await_in_use(scene->ballastd, dest, 3);
    open.clear();
    await_in_use(scene->ballastd, dest, 0);
}

/// A server of this host itself is no proxy.
void own_address_counts(const Family& family) {
    scene = &make_scene(limit_policy(2));
    for (const char* host : {family.client, family.domain == AF_INET ? "127.0.0.1" : "::1"}) {
        auto& server = make<Listener>(client(), Dest{host, 0});
        open_connections(client(), server.dest(), 2);
        check_equal(scene->ballastd.in_use(server.dest()), 2L, "in_use of an own address");
        check_refused(*scene, server.dest(), "the third");
        scene->ballastd.sweep();
        check_equal(scene->ballastd.in_use(server.dest()), 2L, "in_use after a sweep");
    }
}

} // namespace

TEST_GROUP(local_proxy) {
    return Suite()
        .each(families, "a limit admits its number through a proxy", counts_once)
        .each(families, "connections older than the limit count once", older_counts_once)
        .each(families, "a destination of this host counts", own_address_counts)
        .run("local_proxy");
}

} // namespace test_local_proxy
