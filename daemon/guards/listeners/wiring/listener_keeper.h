// SPDX-License-Identifier: Apache-2.0
// Reads listening sockets once a second, a slice of a millisecond at a time between the main loop's
// other work, and reports those that drop connections or that nobody accepts from.
#pragma once

#include <memory>
#include <optional>

#include "daemon/findings/findings.h"
#include "daemon/guards/guard.h"
#include "daemon/guards/listeners/listener_book.h"
#include "daemon/guards/listeners/readiness.h"
#include "daemon/kernel/listen_walk.h"
#include "daemon/util/event_loop.h"

namespace ballast::guards {

class ListenerKeeper final : public Guard {
public:
    /// From the beginning of a pass to that of the next; longer where passes cost more than a
    /// hundredth of a processor.
    static constexpr std::chrono::seconds interval{1};

    /// Where the kernel refuses the program, logs it and watches nothing.
    static Result<std::unique_ptr<Guard>> make(const Surroundings& around);

    void report(DaemonStatus& status) const override;

    /// Rows have the path of their consumer. From the main thread.
    [[nodiscard]] ListenerTable table() const;
    /// `netns`: 0: this process's, or else wherever somebody listens on it. None: nobody does.
    [[nodiscard]] std::optional<ReadyRow> ready(const Endpoint& endpoint,
                                                std::uint32_t netns) const;

private:
    static constexpr std::chrono::milliseconds slice{1};

    explicit ListenerKeeper(findings::Findings& findings) : findings_(findings) {}
    void advance();
    void finish();
    void take(const ListenCount& count);
    void fail_pass(const Error& error);

    findings::Findings& findings_;
    std::unique_ptr<kernel::ListenWalk> walk_;
    EventSource timer_;
    ListenerBook book_;
    Readiness readiness_;
    std::uint32_t own_space_ = 0; ///< inode number of this process's network namespace
    ListenersStatus status_;
    std::chrono::steady_clock::time_point began_;
    std::optional<std::chrono::steady_clock::time_point> taken_;
    bool is_passing_ = false;
};

} // namespace ballast::guards
