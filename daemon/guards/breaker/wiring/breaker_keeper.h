// SPDX-License-Identifier: Apache-2.0
// The daemon's side of the breakers: reads what the programs report, records findings, and lets the
// governor grant openings and hold breakers closed.
#pragma once

#include <memory>

#include "daemon/findings/findings.h"
#include "daemon/govern/governor.h"
#include "daemon/guards/breaker/breaker_guard.h"
#include "daemon/guards/guard.h"
#include "daemon/kernel/breaker_table.h"
#include "daemon/kernel/datapath.h"
#include "daemon/kernel/destination_table.h"
#include "daemon/kernel/events.h"
#include "daemon/kernel/policy_map.h"
#include "daemon/util/event_loop.h"
#include "daemon/util/guarded.h"

namespace ballast::guards {

class BreakerKeeper final : public Guard {
public:
    /// The holder's name when breakers are held closed on an observer fault.
    static constexpr const char* governor_name = "governor";
    /// A hold expires after this time if nobody releases it.
    static constexpr std::chrono::minutes longest_hold{10};

    static Result<std::unique_ptr<Guard>> make(const Surroundings& around);

    void changed(const PolicyInForce& now) override;
    /// Grants openings and releases holds that have ended.
    void wake() override;
    void report(DaemonStatus& status) const override;
    /// Releases every hold.
    void stop() override;

    [[nodiscard]] std::vector<BreakerRow> rows() const;
    Result<void> force(const BreakerOrder& order);

private:
    explicit BreakerKeeper(const Surroundings& around);
    /// Everything is decided and reported; nothing is done.
    [[nodiscard]] bool is_dry_run() const { return governor_.lock()->is_dry_run(); }
    void on_event(const kernel::BreakerEvent& event);
    void govern();
    void act(const govern::Governor::Decision& decision);
    void hold(std::uint32_t destination);
    void release(std::uint32_t destination);
    void adopt_holds();
    void tell_dry_run() const;
    void tell_fault(const govern::Governor::Decision& decision);
    [[nodiscard]] std::vector<kernel::BreakerTable::Known> read() const;

    const kernel::PolicyMap& map_;
    policy::PolicyPublisher& policy_;
    findings::Findings& findings_;
    kernel::BreakerTable table_;
    kernel::Datapath datapath_;
    kernel::DestinationTable destinations_;
    guards::BreakerGuard guard_;
    Guarded<govern::Governor>& governor_;
    std::chrono::milliseconds window_;
    std::unique_ptr<kernel::BreakerEvents> events_;
    EventSource readable_;
};

} // namespace ballast::guards
