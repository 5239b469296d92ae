// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/policy_keeper.h"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "daemon/config/overrides.h"
#include "daemon/config/policy_files.h"

namespace ballast::app {

std::vector<Override> PolicyKeeper::overrides() const {
    auto stored = store_.overrides();
    if (stored)
        return *stored;
    spdlog::error("overrides are not applied: {}", stored.error().text());
    return {};
}

Result<void> PolicyKeeper::put(const Policy& from_files, const std::vector<Override>& overrides) {
    MergedPolicy merged = apply_overrides(from_files, overrides);
    for (const auto& why : merged.skipped)
        spdlog::warn("override skipped: {}", why);
    if (auto done = map_.put(merged.policy); !done)
        return done;
    in_force_ = std::move(merged.policy);
    return {};
}

Result<void> PolicyKeeper::reload() {
    auto loaded = load_policy(file_);
    Result<void> done;
    if (!loaded)
        done = fail(loaded.error());
    else
        done = put(*loaded, overrides());
    if (!done) {
        error_ = done.error().text();
        return done;
    }
    from_files_ = std::move(*loaded);
    error_.clear();
    loaded_ = std::chrono::system_clock::now();
    return {};
}

void PolicyKeeper::adopt_running(const Error& why) {
    error_ = why.text();
    in_force_ = Policy{};
    in_force_.services = map_.recall();
}

Result<void> PolicyKeeper::put_override(const Override& wanted) {
    if (!error_.empty())
        return fail(Error(fmt::format("the policy files are refused: {}", error_))
                        .hint("mend them first; `ballast reload` tells when they are accepted"));
    auto all = overrides();
    std::erase_if(all, [&](const Override& other) { return other.target == wanted.target; });
    all.push_back(wanted);
    if (auto done = put(from_files_, all); !done)
        return done;
    if (auto stored = store_.put_override(wanted); !stored) {
        (void)put(from_files_, overrides());
        return stored;
    }
    return {};
}

Result<bool> PolicyKeeper::remove_override(const std::string& target) {
    auto removed = store_.remove_override(target);
    if (!removed || !*removed)
        return removed;
    if (!error_.empty())
        return true; // takes effect with the next policy that is accepted
    if (auto done = put(from_files_, overrides()); !done)
        return fail(done.error());
    return true;
}

} // namespace ballast::app
