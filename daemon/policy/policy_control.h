// SPDX-License-Identifier: Apache-2.0
// Everything by which the policy changes: files, overrides and their end, answers of DNS, the kill
// switch. All of it ends in one publisher.
#pragma once

#include <memory>
#include <string>

#include "daemon/kernel/instance.h"
#include "daemon/policy/name_keeper.h"
#include "daemon/policy/policy_keeper.h"
#include "daemon/policy/policy_publisher.h"
#include "daemon/policy/policy_watch.h"
#include "daemon/policy/timeout_keeper.h"
#include "daemon/util/event_loop.h"

namespace ballast::policy {

class PolicyControl {
public:
    /// The references must outlive it; `store` is as PolicyStore says.
    PolicyControl(EventLoop& loop, kernel::Instance& instance, std::string file,
                  std::unique_ptr<PolicyStore> store);

    /// Puts the policy of the file in force. If it is refused and an earlier daemon's is in force,
    /// that one stays.
    Result<void> start();

    /// Reloads whenever the files change from now on; nobody is held up by the store.
    Result<void> watch();

    /// Reads the files again, and notifies the service manager.
    Result<void> reload();

    /// Once a second.
    void tick();

    [[nodiscard]] PolicyPublisher& publisher() { return publisher_; }
    [[nodiscard]] PolicyKeeper& keeper() { return keeper_; }

private:
    bool take_answers();

    EventLoop& loop_;
    kernel::Instance& instance_;
    std::unique_ptr<PolicyStore> store_;
    PolicyPublisher publisher_;
    TimeoutKeeper timeouts_;
    NameKeeper names_;
    PolicyKeeper keeper_;
    std::unique_ptr<PolicyWatch> watch_;
};

} // namespace ballast::policy
