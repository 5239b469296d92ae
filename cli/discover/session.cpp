// SPDX-License-Identifier: Apache-2.0
#include "cli/discover/session.h"

#include <algorithm>
#include <cerrno>

namespace ballast::cli {
namespace {

using discovery::Discovered;
using discovery::Discovery;
using discovery::Gap;
using std::chrono::ceil;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

/// Polling interval for connections: an answered probe causes no wakeup.
constexpr milliseconds kLookEvery{200};
constexpr milliseconds kLookWhenProbed{5};
/// A tick of the kernel's clock, by which TCP_INFO may be off: 100 Hz is the slowest there is.
constexpr milliseconds kTick{10};
constexpr milliseconds kConnectTimeout{3'000};

Discovery::Time now() {
    return std::chrono::steady_clock::now();
}

bool same(const FlowSocket::Sight& one, const FlowSocket::Sight& other) {
    return one.segments_in == other.segments_in && one.segments_out == other.segments_out;
}

} // namespace

Result<Session::Report> Session::run(int interrupted, const Show& show) {
    begun_ = now();
    bool stopped = false;
    while (!stopped) {
        if (auto looked = look_at_all(); !looked)
            return fail(looked.error());
        if (auto obeyed = obey(); !obeyed)
            return fail(obeyed.error());
        show(progress());
        if (discovery_.findings().state != Discovered::running)
            break;
        const auto waited = wait(interrupted);
        if (!waited)
            return fail(waited.error());
        stopped = !*waited;
    }
    const Gap elapsed = progress().elapsed;
    for (auto& [flow, connection] : connections_)
        if (connection.probed)
            connection.socket.abort();
    connections_.clear();
    return Report{discovery_.findings(), elapsed, stopped, error_};
}

Session::Progress Session::progress() const {
    Progress progress{discovery_.findings(), duration_cast<Gap>(now() - begun_),
                      connections_.size(), std::nullopt};
    if (const auto next = discovery_.next_probe())
        progress.next_probe = std::max(duration_cast<Gap>(*next - now()), Gap(0));
    return progress;
}

int Session::wait_ms() const {
    milliseconds wait = discovery_.awaits_answers() ? kLookWhenProbed : kLookEvery;
    if (const auto due = discovery_.next_due(now()))
        wait = std::min(wait, ceil<milliseconds>(*due - now()));
    return static_cast<int>(std::max(wait, milliseconds(0)).count());
}

/// Waits for something to happen and takes it; false: interrupted.
Result<bool> Session::wait(int interrupted) {
    std::vector<pollfd> entries{{interrupted, POLLIN, 0}};
    std::vector<Flow> flows;
    for (const auto& [flow, connection] : connections_) {
        const int wanted = connection.connected ? POLLIN | POLLRDHUP : POLLOUT;
        entries.push_back({connection.socket.fd(), static_cast<short>(wanted), 0});
        flows.push_back(flow);
    }
    if (::poll(entries.data(), entries.size(), wait_ms()) < 0 && errno != EINTR)
        return fail(Error::system("poll", errno));
    if (entries.front().revents != 0)
        return false;
    for (std::size_t i = 0; i < flows.size(); ++i)
        if (entries[i + 1].revents != 0)
            take_event(flows[i], entries[i + 1].revents);
    give_up_connecting();
    return true;
}

void Session::take_event(Flow flow, short events) {
    Connection& connection = connections_.at(flow);
    const int error = (events & (POLLERR | POLLHUP)) != 0 ? connection.socket.take_error() : 0;
    if (error == ECONNRESET && connection.connected) {
        connections_.erase(flow);
        discovery_.was_reset(flow, now());
    } else if (error != 0) {
        lost(flow, error);
    } else if (!connection.connected) {
        if (auto done = connected(flow); !done)
            lost(flow, done.error().errno_value());
    } else if ((events & (POLLRDHUP | POLLHUP)) != 0) {
        connections_.erase(flow);
        discovery_.finished(flow, now());
    } else {
        connection.socket.drain();
    }
}

Result<void> Session::connected(Flow flow) {
    Connection& connection = connections_.at(flow);
    return connection.socket.look().map([&](const FlowSocket::Sight& sight) {
        connection.looked_at = now();
        connection.connected = true;
        connection.seen = sight;
        const Time received = connection.looked_at - sight.since_received - kTick;
        discovery_.opened(flow, std::max(received, connection.begun), connection.looked_at,
                          sight.rtt);
    });
}

void Session::lost(Flow flow, int error) {
    error_ = error;
    connections_.erase(flow);
    discovery_.lost(flow, now());
}

void Session::give_up_connecting() {
    std::vector<Flow> late;
    for (const auto& [flow, connection] : connections_)
        if (!connection.connected && now() > connection.begun + kConnectTimeout)
            late.push_back(flow);
    for (const Flow flow : late)
        lost(flow, ETIMEDOUT);
}

Result<void> Session::look_at_all() {
    for (auto& [flow, connection] : connections_)
        if (connection.connected)
            if (auto looked = look_at(flow, connection); !looked)
                return looked;
    return {};
}

Result<void> Session::look_at(Flow flow, Connection& connection) {
    return connection.socket.look().map([&](const FlowSocket::Sight& sight) {
        const auto before = std::exchange(connection.seen, sight);
        const Time looked_before = std::exchange(connection.looked_at, now());
        if (!connection.probed) {
            const Time received = connection.looked_at - sight.since_received - kTick;
            if (!same(before, sight))
                discovery_.stirred(flow, std::max(looked_before, received), connection.looked_at);
            return;
        }
        if (sight.segments_out != before.segments_out)
            discovery_.probe_left(flow, connection.looked_at);
        if (sight.segments_in != before.segments_in)
            discovery_.answered(flow, connection.looked_at);
    });
}

/// Opening may fail at once, which may change what is to be done.
Result<void> Session::obey() {
    for (auto commands = discovery_.due(now()); !commands.empty(); commands = discovery_.due(now()))
        for (const auto& [act, flow] : commands) {
            const auto found = connections_.find(flow);
            if (act == Discovery::Act::open) {
                open(flow);
            } else if (found == connections_.end()) {
                continue; // it has ended by itself
            } else if (act == Discovery::Act::probe) {
                found->second.probed = true;
                if (auto sent = found->second.socket.probe(); !sent)
                    return sent;
            } else {
                end(flow, act);
            }
        }
    return {};
}

void Session::open(Flow flow) {
    auto socket = FlowSocket::connect(peer_);
    if (!socket) {
        error_ = socket.error().errno_value();
        discovery_.refused_here(flow, now());
        return;
    }
    connections_[flow] = {.socket = std::move(*socket), .begun = now(), .looked_at = now()};
}

void Session::end(Flow flow, Discovery::Act how) {
    Connection& connection = connections_.at(flow);
    if (how == Discovery::Act::abort)
        connection.socket.abort();
    connections_.erase(flow);
}

} // namespace ballast::cli
