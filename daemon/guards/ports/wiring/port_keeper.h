// SPDX-License-Identifier: Apache-2.0
// Counts local ports again and again, a slice of a millisecond at a time between the main loop's
// other work, sooner where many connections are made meanwhile, and reports those that run out.
#pragma once

#include <memory>
#include <vector>

#include "daemon/findings/findings.h"
#include "daemon/guards/guard.h"
#include "daemon/guards/ports/port_book.h"
#include "daemon/guards/ports/wiring/port_reliever.h"
#include "daemon/kernel/port_hooks.h"
#include "daemon/kernel/port_walk.h"
#include "daemon/util/event_loop.h"

namespace ballast::guards {

class PortKeeper final : public Guard {
public:
    /// From the beginning of a pass to that of the next: while all is well, and while a tuple is
    /// not, or will not be. Longer where passes cost more than a fiftieth of a processor.
    static constexpr std::chrono::seconds calm{5};
    static constexpr std::chrono::seconds watchful{1};

    /// Where the kernel refuses the programs, logs it and counts nothing.
    static Result<std::unique_ptr<Guard>> make(const Surroundings& around);

    void changed(const PolicyInForce& now) override;
    void report(DaemonStatus& status) const override;
    /// Takes back every relief.
    void stop() override;

    /// Rows have the path of their consumer. From the main thread.
    [[nodiscard]] PortTable table() const;

private:
    static constexpr std::chrono::milliseconds slice{1};
    /// Passes in a row that are made at once since the one before met chains that changed.
    static constexpr unsigned most_again = 2;

    explicit PortKeeper(findings::Findings& findings) : findings_(findings) {}
    Result<void> watch(const Surroundings& around);
    void hasten();
    void begin();
    void advance();
    void finish();
    void take(const PortCount& count);
    void fail_pass(const Error& error);
    [[nodiscard]] std::chrono::nanoseconds interval() const;

    findings::Findings& findings_;
    std::unique_ptr<PortReliever> reliever_;
    std::unique_ptr<kernel::PortWalk> walk_;
    std::unique_ptr<kernel::PortHooks> hooks_; ///< none: the kernel refuses them
    EventSource timer_;
    EventSource many_;
    PortBook book_;
    PortsStatus status_;
    std::chrono::steady_clock::time_point began_;
    std::optional<std::chrono::steady_clock::time_point> taken_;
    std::uint32_t least_ = 1;
    unsigned again_ = 0;
    bool is_passing_ = false;
};

} // namespace ballast::guards
