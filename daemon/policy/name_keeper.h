// SPDX-License-Identifier: Apache-2.0
// Keeps the DNS names of the policy resolved: asks repeatedly, off the event loop, keeps the last
// good answers over restarts, and reports failures. Uses no thread and no timer if the policy has
// no names.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "daemon/model/policy.h"
#include "daemon/policy/policy_store.h"
#include "daemon/resolve/name_book.h"
#include "daemon/resolve/resolver.h"
#include "daemon/resolve/schedule.h"
#include "daemon/util/event_loop.h"

namespace ballast::policy {

class NameKeeper {
public:
    /// Debounce: answers that arrive together are put in force together.
    static constexpr std::chrono::milliseconds settle_time{50};

    /// `changed` is called on the loop when answers() has changed; false: try again with the next
    /// answer of any name. The references must outlive the keeper.
    NameKeeper(EventLoop& loop, PolicyStore& store, std::function<bool()> changed)
        : loop_(loop), store_(store), changed_(std::move(changed)) {}

    /// The last good answers, with those from before a restart for names of `files`; call it before
    /// that policy is put in force.
    const Answers& answers_for(const Policy& files);

    /// Resolves the names of `files`, which are in force, from now on and forgets others. Fails if
    /// no thread can be started; known answers are kept.
    Result<void> follow(const Policy& files);

private:
    void recall();
    Result<void> start();
    void stop();
    void turn();
    void hear(const std::vector<Lookup>& lookups);
    void hear(const Lookup& lookup);
    void settled();
    void plan();
    void warn(const std::string& host, const std::string& error) const;
    /// `message` behind the place and text of each element that has the name.
    [[nodiscard]] std::vector<std::string> placed(const std::string& host,
                                                  const std::string& message) const;

    EventLoop& loop_;
    PolicyStore& store_;
    std::function<bool()> changed_;
    Policy files_; ///< whose names are resolved
    NameBook book_;
    Schedule schedule_;
    bool has_recalled_ = false; ///< or tried to
    bool is_pending_ = false;   ///< a change that is not in force yet
    bool is_settling_ = false;  ///< and will be in a moment
    std::unique_ptr<Resolver> resolver_;
    EventSource due_;
    EventSource settled_;
};

} // namespace ballast::policy
