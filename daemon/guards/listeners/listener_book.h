// SPDX-License-Identifier: Apache-2.0
// What is known of every listening socket, from one pass to the next: its state, and what is to be
// reported of it. Pure.
//
// Invariants
// K1. Nobody accepts where the same connection was the first of the queue for `stall`, by what
//     passes saw: progress is a first one that changes. It takes no full queue.
// K2. A drop is an overflow where the queue was full when the pass before or this one looked, since
//     the kernel counts drops of any kind together (net/ipv4/tcp_input.c, tcp_conn_request();
//     net/ipv4/tcp_ipv4.c, tcp_v4_syn_recv_sock()). The accept queue is full at limit + 1
//     (include/net/sock.h, sk_acceptq_is_full()).
// K3. States last for `quiet` after what they report of, but for those that nobody accepts from.
// K4. Each finding is made once, and again where what it reports of had ended for `quiet`.
// K5. A socket is known by its inode number, and one that nobody has open by its place in memory.
// It
//     is gone where a whole pass did not meet it.
// K6. What happens to several listeners of one consumer within a pass is one finding, of the first
// of
//     them: a process that hangs serves a dozen ports, a host that stops containers a hundred.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/model/finding.h"
#include "daemon/model/listener_row.h"

namespace ballast::guards {

class ListenerBook {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    static constexpr std::chrono::seconds stall{5};
    static constexpr std::chrono::seconds quiet{60};
    /// Of the accept queue, in use: a burst.
    static constexpr std::uint32_t busy_percent = 70;
    /// Findings of one pass; more are counted.
    static constexpr std::size_t most_findings = 20;

    /// The path of a cgroup, empty where it is gone.
    using ConsumerName = std::function<std::string(std::uint64_t cgroup)>;

    /// A finding, and the socket that it is of.
    struct Made {
        Finding finding;
        std::uint32_t inode = 0; ///< 0: it is gone, or nobody has it open
    };

    /// Takes what a pass read. `name` is called for what gets a finding.
    std::vector<Made> read(const ListenCount& count, Monotonic now, const ConsumerName& name);

    /// By the last pass, worst first, with the consumers' paths left for others to fill in.
    [[nodiscard]] const std::vector<ListenerRow>& rows() const { return rows_; }
    [[nodiscard]] std::uint64_t overflows() const { return overflows_; }
    [[nodiscard]] std::uint64_t closed_waiting() const { return closed_waiting_; }
    /// Findings that were left out.
    [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

private:
    using Key = std::pair<std::uint32_t, std::uint64_t>; ///< namespace, and K5
    using Head = std::pair<std::uint64_t, std::optional<std::chrono::microseconds>>;

    struct Known {
        ListenerRow row;
        std::uint32_t pass = 0;
        std::uint32_t counted = 0; ///< drops by the kernel's own count
        Head head{0, std::nullopt};
        Monotonic head_since;                                    ///< K1
        std::optional<Monotonic> busy_at, flood_at, overflow_at; ///< last
        std::uint64_t overflows_before = 0;         ///< those that were reported before
        ListenerState reported = ListenerState::ok; ///< K4: worst since it was well
        Monotonic bad_at;
    };
    /// K6.
    struct Alike {
        ListenerRow first;
        std::string more; ///< evidence of it
        std::uint32_t listeners = 0;
        std::uint64_t waiting = 0; ///< at all of them
    };
    using What = std::pair<findings::Reason, std::uint64_t>; ///< and whose
    struct Reporting {
        std::map<What, Alike>& alike;
        Monotonic now;
    };
    void note(const ListenerCount& one, Known& known, Monotonic now);
    static ListenerState state_of(const Known& known, bool is_one_of_more, Monotonic now);
    void judge(Known& known, const Reporting& reporting);
    void forget_gone(const ListenCount& count, const Reporting& reporting);
    static void add(const Reporting& reporting, findings::Reason reason, const ListenerRow& row,
                    const std::string& more = "");
    std::vector<Made> findings_of(const std::map<What, Alike>& alike, const ConsumerName& name);

    std::map<Key, Known> known_;
    std::vector<ListenerRow> rows_;
    std::uint64_t overflows_ = 0;
    std::uint64_t closed_waiting_ = 0;
    std::uint64_t left_out_ = 0;
    bool is_first_ = true; ///< pass: what was dropped before is not known
};

} // namespace ballast::guards
