// SPDX-License-Identifier: Apache-2.0
#include "daemon/netlink/diag.h"

#include <cerrno>
#include <functional>
#include <unordered_set>

#include <fcntl.h>
#include <sys/socket.h>

namespace ballast::netlink {

namespace {

constexpr int kDumpAttempts = 3;

/// The look-up says ENOENT of a cookie that does not fit, too, and of a socket that closed
/// meanwhile (net/ipv4/tcp.c, tcp_abort()); ESTALE is what sock_diag_check_cookie() calls it.
bool is_gone(int error) {
    return error == ENOENT || error == ESTALE;
}

/// A minisocket: what close() leaves in TIME_WAIT, or in FIN_WAIT2 before that. It has the cookie
/// of the socket that it stands for (net/ipv4/inet_timewait_sock.c, inet_twsk_alloc()).
bool is_leftover(const DiagSocket& socket) {
    return socket.timer == TcpTimer::time_wait;
}

bool is_over(const std::optional<DiagSocket>& found) {
    return !found || is_leftover(*found);
}

std::string name(const FlowKey& key) {
    return fmt::format("socket {} -> {}, cookie {}", key.local.text(), key.remote.text(),
                       key.cookie);
}

/// Fails unless the answer is that socket and nothing else.
Result<std::optional<DiagSocket>> only(const Reply& reply, const FlowKey& key) {
    if (reply.sockets.size() == 1) {
        const FlowKey& got = reply.sockets.front().key;
        if (got.cookie == key.cookie && got.local == key.local && got.remote == key.remote)
            return reply.sockets.front();
    }
    return fail(Error(
        fmt::format("the kernel answered with {} sockets, or another one", reply.sockets.size())));
}

Error destroy_error(int error) {
    auto failed = Error::system("SOCK_DESTROY", error);
    if (error == EOPNOTSUPP)
        return failed.hint("the kernel is built without CONFIG_INET_DIAG_DESTROY: flows can be "
                           "reported, but not reset");
    if (error == EPERM)
        return failed.hint("it needs CAP_NET_ADMIN in the user namespace that owns the socket's "
                           "network namespace");
    return failed;
}

/// Collects the flows of a dump, each once: a bucket that changes between two parts of a dump may
/// give a socket again (net/ipv4/tcp_diag.c, tcp_diag_dump() goes on by position).
class Collector {
public:
    using Accepts = std::function<bool(const DiagSocket&)>;
    Collector(std::size_t max, const Accepts& accepts) : max_(max), accepts_(accepts) {}

    /// False when there was one more than allowed.
    bool add(const std::vector<DiagSocket>& sockets) {
        for (const auto& socket : sockets) {
            if (!accepts_(socket) || !seen_.insert(socket.key.cookie).second)
                continue;
            if (list.flows.size() == max_) {
                list.cut_off = true;
                return false;
            }
            list.flows.push_back(socket);
        }
        return true;
    }

    FlowList list;

private:
    std::size_t max_;
    const Accepts& accepts_;
    std::unordered_set<std::uint64_t> seen_;
};

/// Reads one dump to its end, or until the collector has enough.
Result<void> read_dump(Channel& channel, std::uint32_t sequence, Collector& collector) {
    for (;;) {
        const auto reply = channel.receive(sequence);
        if (!reply)
            return fail(reply.error());
        if (reply->error != 0)
            return fail(Error::system("dump of TCP sockets", reply->error));
        collector.list.interrupted |= reply->interrupted;
        if (!collector.add(reply->sockets) || reply->complete)
            return {};
    }
}

} // namespace

Result<Diag> Diag::open(int netns_fd) {
    Fd netns(::fcntl(netns_fd, F_DUPFD_CLOEXEC, 0));
    if (!netns)
        return fail(Error::system("keep the network namespace open", errno));
    auto channel = Channel::open(netns.get());
    if (!channel)
        return fail(channel.error().context("socket diagnosis"));
    Diag diag(std::move(netns), std::move(*channel));
    if (auto available = diag.check_available(); !available)
        return fail(available.error());
    return diag;
}

/// Without tcp_diag every request fails with ENOENT, as one about a socket that is gone does
/// (net/ipv4/inet_diag.c, inet_diag_lock_handler()). Asking makes the kernel load the modules.
Result<void> Diag::check_available() {
    const auto sequence = channel_.next_sequence();
    const auto reply = channel_.ask(nothing_request(sequence), sequence);
    if (!reply)
        return fail(reply.error().context("socket diagnosis of TCP"));
    if (reply->error != 0)
        return fail(Error::system("socket diagnosis of TCP", reply->error)
                        .hint("the kernel modules inet_diag and tcp_diag are needed: modprobe "
                              "tcp_diag"));
    return {};
}

Result<std::optional<DiagSocket>> Diag::find(const FlowKey& key) {
    const auto doing = [&key](const Error& error) {
        return fail(error.context("ask for " + name(key)));
    };
    if (auto usable = check_key(key); !usable)
        return doing(usable.error());
    const auto sequence = channel_.next_sequence();
    const auto reply = channel_.ask(find_request(key, sequence), sequence);
    if (!reply)
        return doing(reply.error());
    if (is_gone(reply->error))
        return std::optional<DiagSocket>();
    if (reply->error != 0)
        return doing(Error::system("SOCK_DIAG_BY_FAMILY", reply->error));
    auto found = only(*reply, key);
    return found ? found : doing(found.error());
}

Result<Destroyed> Diag::destroy(const FlowKey& key) {
    const auto found = find(key);
    if (!found)
        return fail(found.error().context("before destroying it"));
    return is_over(*found) ? Destroyed::already_gone : destroy_found(key);
}

Result<Destroyed> Diag::destroy_found(const FlowKey& key) {
    const auto doing = [&key](const Error& error) {
        return fail(error.context("destroy " + name(key)));
    };
    const auto sequence = channel_.next_sequence();
    const auto reply = channel_.ask(destroy_request(key, sequence), sequence);
    if (!reply)
        return doing(reply.error());
    if (reply->error == 0)
        return Destroyed::destroyed;
    if (is_gone(reply->error))
        return Destroyed::already_gone;
    return doing(destroy_error(reply->error));
}

/// Which sockets a dump is to give.
struct Diag::Query {
    Address address; ///< of the peer
    std::uint16_t port = 0;
    decltype(&flows_request) request = &flows_request;
    Collector::Accepts accepts;
};

/// Each dump has a socket of its own: one that is left unread at `max` ends with it.
Result<FlowList> Diag::read_flows(const Query& query, std::size_t max) const {
    Collector collector(max, query.accepts);
    for (const auto family : {AF_INET, AF_INET6}) {
        if (collector.list.cut_off || (family == AF_INET && !query.address.is_v4()))
            continue;
        auto channel = Channel::open(netns_.get());
        if (!channel)
            return fail(channel.error());
        const auto sequence = channel->next_sequence();
        const auto request =
            query.request(static_cast<std::uint8_t>(family), query.address, query.port, sequence);
        if (auto sent = channel->send(request); !sent)
            return fail(sent.error());
        if (auto read = read_dump(*channel, sequence, collector); !read)
            return fail(read.error());
    }
    return std::move(collector.list);
}

Result<FlowList> Diag::list(const Query& query, std::size_t max) const {
    for (int attempt = 1;; ++attempt) {
        auto list = read_flows(query, max);
        if (!list)
            return fail(list.error().context(
                fmt::format("list the flows to {}",
                            query.port == 0 ? query.address.text()
                                            : Endpoint{query.address, query.port}.text())));
        if (!list->interrupted || attempt == kDumpAttempts)
            return list;
    }
}

Result<FlowList> Diag::flows_to(const Address& address, std::uint16_t port, std::size_t max) {
    return list({.address = address,
                 .port = port,
                 .request = &flows_request,
                 .accepts = [](const DiagSocket& socket) { return !is_leftover(socket); }},
                max);
}

Result<FlowList> Diag::waiting(const Address& local, const Endpoint& remote, std::size_t max) {
    return list({.address = remote.address,
                 .port = remote.port,
                 .request = &waiting_request,
                 .accepts =
                     [&local](const DiagSocket& socket) {
                         return is_leftover(socket) && socket.key.local.address == local;
                     }},
                max);
}

} // namespace ballast::netlink
