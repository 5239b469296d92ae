// SPDX-License-Identifier: Apache-2.0
#include "daemon/act/reap.h"

#include <algorithm>

#include "daemon/netlink/diag.h"

namespace ballast::act {

namespace {

/// include/net/tcp.h, TCP_TIMEWAIT_LEN.
constexpr std::chrono::milliseconds time_wait{60'000};
/// Of one dump: more than a range has.
constexpr std::size_t most_waiting = 65'536;

/// In the namespace, of which the session is opened.
Result<netlink::Diag> open_session(const kernel::NetNamespace& where) {
    const auto timestamps = read_sysctl("net/ipv4/tcp_timestamps");
    if (!timestamps)
        return fail(timestamps.error());
    if (*timestamps == "0")
        return fail(Error("net.ipv4.tcp_timestamps is 0, so old segments could be taken for new "
                          "ones",
                          EPERM));
    const auto file = where.open();
    return file ? netlink::Diag::open(file->get()) : fail(file.error());
}

} // namespace

Result<std::size_t> reap_time_wait(kernel::NetNamespace& where, std::uint64_t cookie,
                                   const TupleKey& tuple, std::size_t most) {
    Result<netlink::Diag> session = fail(Error("not entered"));
    const auto entered = in_space(where, cookie, [&] { session = open_session(where); });
    if (!entered)
        return fail(entered.error());
    if (!session)
        return fail(session.error());
    auto waiting = session->waiting(tuple.source, tuple.remote, most_waiting);
    if (!waiting)
        return fail(waiting.error());
    auto& flows = waiting->flows;
    std::erase_if(flows, [](const DiagSocket& socket) {
        return std::chrono::milliseconds(socket.timer_expires_ms) > time_wait - too_young;
    });
    std::ranges::sort(flows, {}, &DiagSocket::timer_expires_ms);
    std::size_t reaped = 0;
    for (const auto& flow : flows) {
        if (reaped == most)
            break;
        const auto outcome = session->reap(flow.key);
        if (!outcome)
            return fail(outcome.error());
        reaped += *outcome == Destroyed::destroyed ? 1U : 0U;
    }
    return reaped;
}

} // namespace ballast::act
