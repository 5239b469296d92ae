// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/walled.h"

#include <algorithm>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

namespace ballast::test {

const std::vector<Family> walled_families = {
    {"ipv4", AF_INET, "10.77.0.1", "10.79.0.2", "", ""},
    {"ipv6", AF_INET6, "fd77::1", "fd79::2", "", ""},
};
const std::vector<std::string> beyond_the_wall = {"10.79.0.0/24", "fd79::/64"};

namespace {

constexpr int never_idle_s = 100'000;
constexpr const char* translation = "  chain translate {\n"
                                    "    type nat hook postrouting priority 100;\n"
                                    "    oifname w1 masquerade fully-random\n"
                                    "  }\n";

Link join(const Netns& wall) {
    Link link{make<Netns>(), make<Netns>()};
    for (const Netns* space : {&wall, &std::as_const(link.client), &std::as_const(link.server)})
        space->sysctl("net.ipv6.conf.default.accept_dad",
                      0); // or no neighbour is found for a second
    wall.ip({fmt::format("link add w0 type veth peer name c0 netns {}", link.client.holder()),
             fmt::format("link add w1 type veth peer name s0 netns {}", link.server.holder()),
             "addr add 10.77.0.254/24 dev w0", "addr add fd77::fe/64 dev w0 nodad",
             "addr add 10.79.0.254/24 dev w1", "addr add fd79::fe/64 dev w1 nodad",
             "link set w0 up", "link set w1 up"});
    link.client.ip({"addr add 10.77.0.1/24 dev c0", "addr add fd77::1/64 dev c0 nodad",
                    "link set c0 up", "route add default via 10.77.0.254",
                    "route add ::/0 via fd77::fe"});
    link.server.ip({"addr add 10.79.0.2/24 dev s0", "addr add fd79::2/64 dev s0 nodad",
                    "link set s0 up", "route add default via 10.79.0.254",
                    "route add ::/0 via fd79::fe"});
    wall.sysctl("net.ipv4.ip_forward", 1);
    wall.sysctl("net.ipv6.conf.all.forwarding", 1);
    return link;
}

tcp_info info_of(const Fd& socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    need(::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0, "TCP_INFO");
    return info;
}

sockaddr_storage local_address(const Fd& socket) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    need(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &length) == 0,
         "getsockname");
    return storage;
}

/// At the same place in both families.
std::uint16_t local_port(const Fd& socket) {
    const auto storage = local_address(socket);
    return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
}

bool pass(const Fd& from, const Fd& to, Clock::time_point deadline) {
    char byte = 'x';
    return ::send(from.get(), &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 &&
           wait_fd(to.get(), POLLIN, deadline) && ::recv(to.get(), &byte, 1, MSG_DONTWAIT) == 1;
}

/// A slow machine sends again what was not lost, and that is remembered of a connection.
bool loses_little(const Through& pair, unsigned sent) {
    const auto lost =
        info_of(pair.client).tcpi_total_retrans + info_of(pair.server).tcpi_total_retrans;
    return lost * 40 < sent;
}

} // namespace

Wall::Wall() : wall_(make<Netns>()), link_(join(wall_)) {}

void Wall::load(const std::string& rules) {
    const auto file = make_temp_dir() + "/rules";
    write_file(file, fmt::format("flush ruleset\n"
                                 "table inet wall {{\n"
                                 "  chain forward {{\n"
                                 "    type filter hook forward priority 0; policy drop;\n"
                                 "{}"
                                 "  }}\n"
                                 "}}\n",
                                 rules));
    wall_.exec({"nft", "-f", file});
}

void Wall::stand(int after_s, const std::string& late) {
    rules_ = fmt::format("    ct state established accept\n"
                         "    tcp flags & (syn|ack) == syn ct state new accept\n"
                         "    {}\n",
                         late);
    load(rules_);
    wall_.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0);
    wall_.sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", after_s);
}

void Wall::shut() {
    load("    ct state invalid,established,new,related,untracked drop\n");
}

void Wall::open() {
    load(cuts_ + rules_);
}

void Wall::lose(int percent) {
    load(fmt::format("    numgen random mod 100 < {} drop\n{}", percent, rules_));
}

void Wall::emulate_loss(int percent) {
    for (const auto* device : {"w0", "w1"})
        wall_.exec({"tc", "qdisc", "add", "dev", device, "root", "netem", "loss",
                    fmt::format("{}%", percent)});
}

void Wall::cut(const Fd& client, Way way) {
    const auto port = local_port(client);
    if (way != Way::back)
        cuts_ += fmt::format("    tcp sport {} drop\n", port);
    if (way != Way::there)
        cuts_ += fmt::format("    tcp dport {} drop\n", port);
    open();
}

void Wall::cut_off(const std::string& address) {
    cut_ports(address, "");
}

void Wall::cut_off(const std::string& address, const Fd& spared) {
    cut_ports(address, fmt::format("port != {}", local_port(spared)));
}

void Wall::cut_ports(const std::string& address, const std::string& ports) {
    const char* family = address.find(':') == std::string::npos ? "ip" : "ip6";
    for (const char* side : {"s", "d"})
        cuts_ += fmt::format("    {} {}addr {} {}{} drop\n", family, side, address,
                             ports.empty() ? "" : fmt::format("tcp {}", side), ports);
    open();
}

void Wall::hold_acks() {
    load(fmt::format("    iifname w0 tcp flags & (syn|fin|rst) == 0 drop\n{}", rules_));
}

void Wall::swallow(int larger_than) {
    load(fmt::format("    meta length > {} drop\n{}", larger_than, rules_));
}

void Wall::lose_table(const std::string& late) {
    stand(never_idle_s, late);
    wall_.sysctl("net.netfilter.nf_conntrack_tcp_loose", late == "accept" ? 1 : 0);
    forget_all();
}

void Wall::rebind() {
    const auto file = make_temp_dir() + "/rules";
    write_file(file, fmt::format("flush ruleset\n"
                                 "table inet wall {{\n"
                                 "  chain forward {{\n"
                                 "    type filter hook forward priority 0; policy accept;\n"
                                 "    iifname w1 ct state != established drop\n"
                                 "  }}\n"
                                 "{}"
                                 "}}\n",
                                 translation));
    wall_.exec({"nft", "-f", file});
    wall_.sysctl("net.netfilter.nf_conntrack_tcp_loose", 1);
    forget_all();
}

void Wall::forget_all() {
    struct {
        nlmsghdr head;
        nfgenmsg family;
    } request{};
    request.head = {.nlmsg_len = sizeof request,
                    .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
                    .nlmsg_seq = 1,
                    .nlmsg_pid = 0};
    Fd socket;
    {
        const Inside inside(wall_.fd());
        socket = Fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    }
    need(socket && ::send(socket.get(), &request, sizeof request, 0) == sizeof request,
         "request to forget all connections");
    struct {
        nlmsghdr head;
        nlmsgerr error;
    } answer{};
    need(::recv(socket.get(), &answer, sizeof answer, 0) >= static_cast<ssize_t>(sizeof answer),
         "answer of connection tracking");
    check_errno(-answer.error.error, 0, "forgetting all connections");
}

void Wall::delay(int time_ms) {
    for (const auto* device : {"w0", "w1"})
        wall_.exec({"tc", "qdisc", "add", "dev", device, "root", "netem", "delay",
                    fmt::format("{}ms", time_ms)});
}

void Wall::translate(int after_s) {
    const auto file = make_temp_dir() + "/rules";
    write_file(file, fmt::format("flush ruleset\ntable inet wall {{\n{}}}\n", translation));
    wall_.exec({"nft", "-f", file});
    wall_.sysctl("net.netfilter.nf_conntrack_tcp_loose", 1);
    wall_.sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", after_s);
}

namespace {

Through& used(Fd client, Listener& listener) {
    auto& pair = make<Through>(std::move(client), listener.accept());
    for (unsigned i = 0; i < 20 || (i < 200 && !loses_little(pair, i)); ++i)
        check(exchange(pair), "an exchange through the wall");
    return pair;
}

} // namespace

Through& through(const Wall& wall, Listener& listener) {
    auto made = attempt(wall.link().client, listener.dest());
    check_errno(made.error, 0, "connect() through the wall");
    return used(std::move(made.socket), listener);
}

Through& through_from(const Wall& wall, Listener& listener, const std::string& source) {
    const int domain = listener.dest().v4() ? AF_INET : AF_INET6;
    Fd client = tcp_socket(wall.link().client, domain);
    const SocketAddress name(Dest{source, 0}, domain);
    need(::bind(client.get(), name.get(), name.length) == 0, "bind");
    check_errno(connect_errno(client, listener.dest()), 0, "connect() through the wall");
    return used(std::move(client), listener);
}

/// Once the first connection has found all neighbours, which may cost a SYN or two.
Listener& listen(const Wall& wall, const Dest& dest) {
    auto& listener = make<Listener>(wall.link().server, dest);
    Attempt first;
    await(
        [&] {
            first = attempt(wall.link().client, listener.dest());
            return first.error == 0;
        },
        "a path through the wall");
    listener.accept();
    abort_connection(first.socket);
    return listener;
}

Listener& listen(const Wall& wall, const Family& family) {
    return listen(wall, Dest{family.server, 0});
}

bool exchange(const Through& pair, int patience_ms) {
    const auto deadline = Clock::now() + std::chrono::milliseconds(patience_ms);
    return pass(pair.client, pair.server, deadline) && pass(pair.server, pair.client, deadline);
}

void say(const Fd& from) {
    need(::send(from.get(), "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1, "send");
}

Talk::Talk(const std::vector<const Through*>& pairs) {
    int ends[2];
    need(::pipe2(ends, O_CLOEXEC) == 0, "pipe2");
    Fd listens(ends[0]);
    stop_ = Fd(ends[1]);
    talker_.fork([&] {
        stop_.reset();
        while (!wait_fd(listens.get(), POLLIN, Clock::now() + std::chrono::milliseconds(50)))
            for (const auto* pair : pairs)
                if (!exchange(*pair))
                    return 1;
        return 0;
    });
}

bool Talk::end() {
    stop_.reset();
    return talker_.wait() == 0;
}

void live_until(const Others& busy, const std::function<bool()>& holds, std::string_view what) {
    Talk talk(busy);
    const auto lives_and_holds = [&] {
        check(talk.goes_on(), "the other connections live");
        return holds();
    };
    if (!wait_until(lives_and_holds, patience(std::chrono::seconds(90))))
        fail_test(fmt::format("did not come: {}", what));
    check(talk.end(), "the other connections lived");
}

std::string local_text(const Fd& socket) {
    const auto storage = local_address(socket);
    char host[INET6_ADDRSTRLEN] = {};
    if (storage.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
        ::inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
        return fmt::format("{}:{}", host, ntohs(v4.sin_port));
    }
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
    return fmt::format("[{}]:{}", host, ntohs(v6.sin6_port));
}

long silent_ms(const Fd& socket) {
    const auto info = info_of(socket);
    return static_cast<long>(std::min(info.tcpi_last_ack_recv, info.tcpi_last_data_recv));
}

} // namespace ballast::test
