// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/policy_keeper.h"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "daemon/app/supported.h"
#include "daemon/config/policy_files.h"

namespace ballast::app {

std::vector<Override> PolicyKeeper::overrides() const {
    auto stored = store_.overrides();
    if (stored)
        return *stored;
    spdlog::error("overrides are not applied: {}", stored.error().text());
    return {};
}

Result<void> PolicyKeeper::put(MergedPolicy merged) {
    for (const auto& skipped : merged.skipped)
        spdlog::warn("override skipped: {}", skipped.why);
    auto done = timeouts_.prepare(merged.policy).and_then([&] { return map_.put(merged.policy); });
    if (!done)
        return done;
    in_force_ = std::move(merged.policy);
    return {};
}

Result<void> PolicyKeeper::reload() {
    const PolicyReport report = check_policy(file_);
    for (const auto& warning : report.warnings.problems())
        spdlog::warn("{}", warning.text());
    auto loaded = report.result();
    auto done = loaded ? check_supported(*loaded) : Result<void>(fail(loaded.error()));
    if (done)
        done = put(apply_overrides(*loaded, overrides()));
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
    MergedPolicy merged = apply_overrides(from_files_, all);
    for (const auto& skipped : merged.skipped)
        if (skipped.target == wanted.target)
            return fail(Error(skipped.why));
    if (auto done = put(std::move(merged)); !done)
        return done;
    if (auto stored = store_.put_override(wanted); !stored) {
        (void)put(apply_overrides(from_files_, overrides()));
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
    if (auto done = put(apply_overrides(from_files_, overrides())); !done)
        return fail(done.error());
    return true;
}

} // namespace ballast::app
