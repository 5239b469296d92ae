// SPDX-License-Identifier: Apache-2.0
// The policy in force and where it comes from: files, and overrides on top. A file that is refused
// leaves the running policy as it is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/app/timeout_keeper.h"
#include "daemon/config/overrides.h"
#include "daemon/kernel/policy_map.h"
#include "daemon/model/override.h"
#include "daemon/model/policy.h"
#include "daemon/model/snapshot.h"
#include "daemon/store/store.h"
#include "daemon/util/error.h"

namespace ballast::app {

class PolicyKeeper {
public:
    PolicyKeeper(std::string file, kernel::PolicyMap& map, TimeoutKeeper& timeouts, Store store)
        : file_(std::move(file)), map_(map), timeouts_(timeouts), store_(std::move(store)) {}

    /// Reads files and overrides and puts them in force.
    Result<void> reload();

    /// Goes on with the policy that an earlier daemon left in force, since the files are refused.
    void adopt_running(const Error& why);

    /// Stores an override and puts the policy in force with it; on failure neither changes.
    Result<void> put_override(const Override& wanted);
    /// False: there was none of that target.
    Result<bool> remove_override(const std::string& target);
    /// All that are stored, for people to see.
    [[nodiscard]] std::vector<Override> overrides() const;

    /// Forgets the overrides that have expired at `now` and puts the policy in force without them;
    /// a failure is logged and tried again. True: the policy in force is another one.
    bool drop_expired(WallTime now);

    [[nodiscard]] const Policy& policy() const { return in_force_; }
    [[nodiscard]] const std::string& file() const { return file_; }
    /// Why the newest files are not in force; empty when they are.
    [[nodiscard]] const std::string& error() const { return error_; }
    [[nodiscard]] WallTime loaded() const { return loaded_; }

private:
    Result<void> put(MergedPolicy merged);
    std::vector<Override> live_overrides(WallTime now);
    void forget(const Override& expired);

    std::string file_;
    kernel::PolicyMap& map_;
    TimeoutKeeper& timeouts_;
    Store store_;
    Policy from_files_;
    Policy in_force_;
    bool recalled_ = false;               ///< in_force_ is an earlier daemon's, without its targets
    std::optional<WallTime> next_expiry_; ///< when to look for expired overrides
    std::string error_;
    WallTime loaded_{};
};

} // namespace ballast::app
