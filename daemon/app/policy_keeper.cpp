// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/policy_keeper.h"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "daemon/app/supported.h"
#include "daemon/config/policy_files.h"

namespace ballast::app {

namespace {

using std::chrono::system_clock;

/// After what drop_expired() could not do.
constexpr std::chrono::seconds retry_after{60};

} // namespace

std::vector<Override> PolicyKeeper::overrides() const {
    auto stored = store_.overrides();
    if (stored)
        return *stored;
    spdlog::error("overrides are not applied: {}", stored.error().text());
    return {};
}

/// The overrides that are to be applied; those that have expired are forgotten.
std::vector<Override> PolicyKeeper::live_overrides(WallTime now) {
    OverridesByAge sorted = sort_out_expired(overrides(), now);
    next_expiry_ = sorted.next;
    for (const Override& row : sorted.expired)
        forget(row);
    return std::move(sorted.live);
}

/// One that cannot be removed from the store does no harm: it is not applied again.
void PolicyKeeper::forget(const Override& expired) {
    spdlog::info("override expired target={} by={}", expired.target, expired.set_by);
    if (auto removed = store_.remove_override(expired.target); !removed)
        spdlog::error("{}", removed.error().text());
}

bool PolicyKeeper::drop_expired(WallTime now) {
    if (!next_expiry_ || now < *next_expiry_)
        return false;
    auto live = live_overrides(now);
    if (recalled_) {
        spdlog::warn("the limits of expired overrides stay in force until the policy files are "
                     "accepted: {}",
                     error_);
        return false;
    }
    auto done = put(apply_overrides(from_files_, live));
    if (done)
        return true;
    spdlog::error("the limits of expired overrides stay in force: {}", done.error().text());
    next_expiry_ = now + retry_after;
    return false;
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
        done = put(apply_overrides(*loaded, live_overrides(system_clock::now())));
    if (!done) {
        error_ = done.error().text();
        return done;
    }
    from_files_ = std::move(*loaded);
    error_.clear();
    recalled_ = false;
    loaded_ = system_clock::now();
    return {};
}

void PolicyKeeper::adopt_running(const Error& why) {
    error_ = why.text();
    in_force_ = Policy{};
    in_force_.services = map_.recall();
    recalled_ = true;
    (void)live_overrides(system_clock::now()); // and when the next one expires
}

Result<void> PolicyKeeper::put_override(const Override& wanted) {
    if (!error_.empty())
        return fail(Error(fmt::format("the policy files are refused: {}", error_))
                        .hint("mend them first; `ballast reload` tells when they are accepted"));
    auto all = live_overrides(system_clock::now());
    std::erase_if(all, [&](const Override& other) { return other.target == wanted.target; });
    all.push_back(wanted);
    MergedPolicy merged = apply_overrides(from_files_, all);
    for (const auto& skipped : merged.skipped)
        if (skipped.target == wanted.target)
            return fail(Error(skipped.why));
    if (auto done = put(std::move(merged)); !done)
        return done;
    if (auto stored = store_.put_override(wanted); !stored) {
        (void)put(apply_overrides(from_files_, live_overrides(system_clock::now())));
        return stored;
    }
    next_expiry_ = sort_out_expired(std::move(all), system_clock::now()).next;
    return {};
}

Result<bool> PolicyKeeper::remove_override(const std::string& target) {
    auto removed = store_.remove_override(target);
    if (!removed || !*removed)
        return removed;
    const auto rest = live_overrides(system_clock::now());
    if (!error_.empty())
        return true; // takes effect with the next policy that is accepted
    if (auto done = put(apply_overrides(from_files_, rest)); !done)
        return fail(done.error());
    return true;
}

} // namespace ballast::app
