// SPDX-License-Identifier: Apache-2.0
// What only people can fix, by what passes over local ports counted: programs that waste them,
// and bounds of the kernel's that are reached. Pure.
//
// Invariants
// V1. A finding is made once, and again where what it reports of had ended for `quiet`.
// V2. churn, closes_first and fin_wait2_build_up are made where that has lasted for `lasts_for`:
//     TIME_WAIT has a quarter of the ports or more, of connections that were closed at once (churn)
//     or after a while (closes_first); and connections that the peer does not close.
// V3. close_wait_leak is made where `leaked_from` or more wait to be closed, for `leaks_for` none
// of
//     them was, and others joined them: a pool whose peer has restarted closes its own when it next
//     uses them. It is made again once they were closed.
// V4. Of the whole host or of a namespace: bind_before_connect where `bound_from` connections or
//     more come from ports that their programs had bound; orphans at half of tcp_max_orphans, since
//     one may count four times (net/ipv4/tcp.c, tcp_out_of_resources()); tw_bucket_overflow at 99%
//     of tcp_max_tw_buckets; port_taken of each port.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/guards/ports/port_findings.h"

namespace ballast::guards {

class PortAdvice {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    static constexpr std::chrono::seconds quiet{60};
    static constexpr std::chrono::seconds lasts_for{30};
    static constexpr std::chrono::seconds leaks_for{60};
    static constexpr std::uint32_t bound_from = 50;
    static constexpr std::uint32_t leaked_from = 64;
    static constexpr std::uint32_t churn_from = 20;       ///< connections opened a second
    static constexpr std::uint32_t half_closed_from = 64; ///< in FIN_WAIT2

    /// Takes what a pass counted, and the rows that were made of it.
    void read(const PortCount& count, const std::vector<PortRow>& rows, Monotonic now,
              PortFindings& findings);

private:
    /// V1.
    class Lasting {
    public:
        /// Whether it is to be reported now, when it has lasted for `after`.
        bool note(bool is_so, Monotonic now, std::chrono::seconds after = {});
        [[nodiscard]] bool is_over() const { return !since_ && !is_reported_; }

    private:
        std::optional<Monotonic> since_;
        Monotonic last_;
        bool is_reported_ = false;
    };
    /// V3.
    struct Leak {
        std::uint32_t waiting = 0;           ///< by the last pass
        std::optional<Monotonic> since = {}; ///< never fewer since
        std::uint32_t before = 0;            ///< then
        bool is_reported = false;

        bool note(std::uint32_t close_wait, Monotonic now);
        [[nodiscard]] bool is_over() const { return !since && !is_reported; }
    };
    struct Habits {
        Lasting churn;
        Lasting closes_first;
        Lasting half_closed;
        Lasting self_connected;
        Leak leak;
        std::uint32_t pass = 0;

        [[nodiscard]] bool is_over() const;
    };
    using Port = std::pair<std::uint32_t, std::uint16_t>; ///< namespace, port

    static void judge(const PortRow& row, Habits& habits, Monotonic now, PortFindings& findings);
    void judge_tuples(const PortCount& count, const std::vector<PortRow>& rows, Monotonic now,
                      PortFindings& findings);
    void judge_spaces(const PortCount& count, Monotonic now, PortFindings& findings);
    void judge_taken(const PortCount& count, Monotonic now, PortFindings& findings);
    void judge_orphans(const PortCount& count, const std::vector<PortRow>& rows, Monotonic now,
                       PortFindings& findings);

    std::map<TupleKey, Habits> habits_;
    std::map<std::uint32_t, Lasting> binders_; ///< by namespace
    std::map<std::uint32_t, Lasting> overflows_;
    std::map<Port, Lasting> taken_;
    Lasting orphans_;
};

} // namespace ballast::guards
