// SPDX-License-Identifier: Apache-2.0
// Promise: the list of flows to a destination has each of them once and no other, at most as many
// as asked for, and says when there were more.
#include "tests/e2e/diag_sockets.h"

#include <algorithm>
#include <set>
#include <sys/resource.h>

#include "tests/harness/check.h"
#include "tests/harness/group.h"
#include "tests/harness/registry.h"
#include "tests/harness/suite.h"

namespace test_diag_flows {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr std::size_t connections = 3000;
constexpr std::size_t others = 20;

/// Cookies of sockets.
using Cookies = std::set<std::uint64_t>;

/// Clients of every kind; the connections wait in the backlog of their listener.
struct Fleet {
    Link link = make_link();
    Listener v4{link.server, {"10.77.0.2", 0}};
    Listener v6{link.server, {"fd77::2", 0}};
    Listener other_port{link.server, {"10.77.0.2", 0}};
    std::vector<Fd> sockets;

    /// `count` sockets of a domain to a listener.
    Cookies connect(int domain, const Listener& listener, std::size_t count) {
        Cookies cookies;
        while (cookies.size() < count) {
            sockets.push_back(tcp_socket(link.client, domain));
            check_errno(connect_errno(sockets.back(), listener.dest()), 0, "connect");
            cookies.insert(key_of(sockets.back()).cookie);
        }
        return cookies;
    }
};

Fleet* fleet = nullptr;
Cookies v4_cookies, v6_cookies, other_cookies;

void raise_file_limit() {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    check(files.rlim_max > connections + 500, "enough descriptors are allowed");
}

void make_fleet() {
    raise_file_limit();
    fleet = &make<Fleet>();
    v4_cookies = fleet->connect(AF_INET, fleet->v4, connections / 2);
    v4_cookies.merge(fleet->connect(AF_INET6, fleet->v4, connections / 2));
    v6_cookies = fleet->connect(AF_INET6, fleet->v6, others);
    other_cookies = fleet->connect(AF_INET, fleet->other_port, others);
}

FlowList flows_to(const Listener& listener, std::uint16_t port, std::size_t max) {
    auto diag = diag_in(fleet->link.client);
    auto list = diag.flows_to(*parse_address(listener.dest().host), port, max);
    check(list.has_value(), list ? "" : list.error().text());
    check(!list->interrupted, "the list is in one piece");
    return *list;
}

Cookies cookies_of(const FlowList& list) {
    Cookies cookies;
    for (const auto& flow : list.flows)
        cookies.insert(flow.key.cookie);
    check_equal(cookies.size(), list.flows.size(), "each flow is there once");
    return cookies;
}

void check_lists(const Listener& listener, std::uint16_t port, const Cookies& wanted) {
    const auto list = flows_to(listener, port, 100'000);
    check(!list.cut_off, "nothing was cut off");
    check_equal(list.flows.size(), wanted.size(), "flows");
    check(cookies_of(list) == wanted, "they are the sockets that connected");
    for (const auto& flow : list.flows) {
        check(flow.state == TcpState::established && flow.tcp.given > 0, "state and facts");
        check_equal(flow.key.remote.address.text(), listener.dest().host, "the peer");
    }
}

void exactly_those_of_a_destination() {
    check_lists(fleet->v4, fleet->v4.dest().port, v4_cookies);
    check_lists(fleet->v6, fleet->v6.dest().port, v6_cookies);
    check_lists(fleet->other_port, fleet->other_port.dest().port, other_cookies);
}

void any_port() {
    auto all = v4_cookies;
    all.insert(other_cookies.begin(), other_cookies.end());
    check_lists(fleet->v4, 0, all);
    check_lists(fleet->v6, 0, v6_cookies);
}

void cut_off_at_max() {
    const auto port = fleet->v4.dest().port;
    for (const auto max :
         {std::size_t{0}, std::size_t{1}, std::size_t{100}, connections / 2 + 7, connections - 1}) {
        const auto list = flows_to(fleet->v4, port, max);
        check_equal(list.flows.size(), max, "flows");
        check(list.cut_off, "it says that there are more");
        const auto got = cookies_of(list);
        check(std::includes(v4_cookies.begin(), v4_cookies.end(), got.begin(), got.end()),
              "they are of that destination");
    }
    const auto list = flows_to(fleet->v4, port, connections);
    check(list.flows.size() == connections && !list.cut_off, "exactly as many as allowed");
}

/// Unread data of an earlier request must not be taken for the answer to a later one.
void one_session_many_requests() {
    auto diag = diag_in(fleet->link.client);
    const auto peer = fleet->v4.dest();
    for (const std::size_t i : {std::size_t{0}, connections / 2, connections - 1}) {
        const auto key = key_of(fleet->sockets[i]);
        check(diag.flows_to(*parse_address(peer.host), peer.port, 10)->cut_off, "cut off");
        check(must_find(diag, key).key == key, "the socket that was asked for");
    }
}

void nobody_goes_there() {
    auto diag = diag_in(fleet->link.server);
    const auto list = diag.flows_to(*parse_address("10.77.0.2"), fleet->v4.dest().port, 10);
    check(list.has_value() && list->flows.empty() && !list->cut_off, "an empty list");
}

/// After close() FIN_WAIT2 is a minisocket that looks like a connection; half-closed ones are real.
void half_closed_and_closed() {
    Listener listener(fleet->link.server, {"10.77.0.2", 0});
    const auto half = connect_pair(fleet->link.client, kinds[0], listener);
    auto closed = connect_pair(fleet->link.client, kinds[0], listener);
    need(::shutdown(half.client.get(), SHUT_WR) == 0, "shutdown");
    closed.client.reset();
    const auto shown = [&] {
        const auto lines = fleet->link.client.exec({"ss", "-tanH", "state", "fin-wait-2"});
        return std::count(lines.begin(), lines.end(), '\n');
    };
    await_equal(shown, 2, "sockets in FIN_WAIT2");
    const auto list = flows_to(listener, listener.dest().port, 10);
    check_equal(list.flows.size(), 1U, "flows");
    check(list.flows.front().key == key_of(half.client), "the one that is still open");
    check(list.flows.front().state == TcpState::fin_wait2, "its state");
}

} // namespace

TEST_GROUP(diag_flows) {
    return Suite()
        .shared(make_fleet)
        .add("exactly the flows of a destination are listed", exactly_those_of_a_destination)
        .add("of any port", any_port)
        .add("cut off at max, and said so", cut_off_at_max)
        .add("one session, many requests", one_session_many_requests)
        .add("a destination that nobody goes to", nobody_goes_there)
        .add("half-closed flows are listed, closed ones are not", half_closed_and_closed)
        .run("diag_flows");
}

} // namespace test_diag_flows
