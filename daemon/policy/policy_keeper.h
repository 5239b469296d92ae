// SPDX-License-Identifier: Apache-2.0
// Builds the policy from files, their DNS answers, and overrides on top. Puts it into the maps and
// publishes it. A refused file leaves the running policy as it is.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/config/overrides.h"
#include "daemon/kernel/policy_map.h"
#include "daemon/model/override.h"
#include "daemon/model/policy.h"
#include "daemon/model/snapshot.h"
#include "daemon/policy/name_keeper.h"
#include "daemon/policy/policy_publisher.h"
#include "daemon/policy/policy_store.h"
#include "daemon/policy/timeout_keeper.h"
#include "daemon/util/error.h"

namespace ballast::policy {

class PolicyKeeper {
public:
    /// The references must outlive the keeper.
    PolicyKeeper(std::string file, kernel::PolicyMap& map, PolicyPublisher& publisher,
                 TimeoutKeeper& timeouts, NameKeeper& names, PolicyStore& store)
        : file_(std::move(file)), map_(map), publisher_(publisher), timeouts_(timeouts),
          names_(names), store_(store) {}

    /// Reads files and overrides and puts them in force.
    Result<void> reload();

    /// Puts the policy in force with what its names resolve to now. False: that changes nothing.
    Result<bool> refresh();

    /// Goes on with the policy that an earlier daemon left in force, since the files are refused.
    void adopt_running(const Error& why);

    /// Stores an override and puts the policy in force with it; on failure neither changes.
    Result<void> put_override(const Override& wanted);
    /// False: there was none for that target.
    Result<bool> remove_override(const std::string& target);
    /// All stored overrides, for display.
    [[nodiscard]] const std::vector<Override>& overrides() const { return store_.overrides(); }

    /// Forgets the overrides that have expired at `now` and puts the policy in force without them;
    /// a failure is logged and retried.
    void drop_expired(WallTime now);

    [[nodiscard]] const std::string& file() const { return file_; }
    /// Why the newest files are not in force; empty when they are.
    [[nodiscard]] const std::string& error() const { return error_; }
    [[nodiscard]] WallTime loaded() const { return loaded_; }

private:
    /// The wanted policy, and the parts of it that cannot be in force.
    struct Wanted {
        Policy policy;
        std::vector<SkippedOverride> skipped;
        std::set<std::string> notices; ///< those and answers that are left out
    };

    Wanted wanted(const Policy& files, const std::vector<Override>& overrides);
    Result<void> put(Wanted wanted);
    Result<void> put(Policy policy);
    Result<void> put_at_any_rate(const Policy& files);
    void tell(std::set<std::string> notices);
    std::vector<Override> live_overrides(WallTime now);
    std::vector<Override> live(std::vector<Override> stored, WallTime now);
    void forget(const Override& expired);

    std::string file_;
    kernel::PolicyMap& map_;
    PolicyPublisher& publisher_;
    TimeoutKeeper& timeouts_;
    NameKeeper& names_;
    PolicyStore& store_;
    std::set<std::string> told_; ///< of answers and overrides that are not in force
    Policy from_files_;
    bool recalled_ = false;               ///< an earlier daemon's is in force, without its targets
    std::optional<WallTime> next_expiry_; ///< when to look for expired overrides
    std::string error_;
    WallTime loaded_{};
};

} // namespace ballast::policy
