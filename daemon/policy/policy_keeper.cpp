// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/policy_keeper.h"

#include <algorithm>

#include "daemon/config/answers.h"
#include "daemon/config/policy_files.h"
#include "daemon/policy/doubts.h"
#include "daemon/util/log.h"

namespace ballast::policy {

namespace {

using std::chrono::system_clock;

/// After a failure of drop_expired().
constexpr std::chrono::seconds retry_after{60};

} // namespace

/// The overrides that are to be applied; those that have expired are forgotten.
std::vector<Override> PolicyKeeper::live_overrides(WallTime now) {
    return live(overrides(), now);
}

std::vector<Override> PolicyKeeper::live(std::vector<Override> stored, WallTime now) {
    OverridesByAge sorted = sort_out_expired(std::move(stored), now);
    next_expiry_ = sorted.next;
    for (const Override& row : sorted.expired)
        forget(row);
    return std::move(sorted.live);
}

void PolicyKeeper::forget(const Override& expired) {
    log::info("override expired target={} by={}", expired.target, expired.set_by);
    store_.forget_override(expired.target);
}

void PolicyKeeper::drop_expired(WallTime now) {
    if (!next_expiry_ || now < *next_expiry_)
        return;
    const auto rest = live_overrides(now);
    if (recalled_) {
        log::warn("the limits of expired overrides stay in force until the policy files are "
                  "accepted: {}",
                  error_);
        return;
    }
    if (auto done = put(wanted(from_files_, rest)); !done) {
        log::error("the limits of expired overrides stay in force: {}", done.error().text());
        next_expiry_ = now + retry_after;
    }
}

/// Anything not in force is reported once, until it changes.
void PolicyKeeper::tell(std::set<std::string> notices) {
    for (const auto& notice : notices)
        if (!told_.contains(notice))
            log::warn("{}", notice);
    told_ = std::move(notices);
}

PolicyKeeper::Wanted PolicyKeeper::wanted(const Policy& files,
                                          const std::vector<Override>& overrides) {
    ResolvedPolicy resolved = apply_answers(files, names_.answers_for(files));
    MergedPolicy merged = apply_overrides(std::move(resolved.policy), overrides);
    Wanted out{std::move(merged.policy), std::move(merged.skipped), {}};
    out.notices.insert(resolved.notices.begin(), resolved.notices.end());
    for (const auto& skipped : out.skipped)
        out.notices.insert("override skipped: " + skipped.why);
    return out;
}

Result<void> PolicyKeeper::put(Policy policy) {
    const Policy given = datapath_policy(policy);
    auto done = timeouts_.prepare(given).and_then([&] { return map_.put(given); });
    if (done)
        publisher_.publish(std::move(policy));
    return done;
}

Result<void> PolicyKeeper::put(Wanted wanted) {
    auto done = put(std::move(wanted.policy));
    if (done)
        tell(std::move(wanted.notices));
    return done;
}

/// A new policy is not rejected because of its DNS answers.
Result<void> PolicyKeeper::put_at_any_rate(const Policy& files) {
    const auto on_top = live_overrides(system_clock::now());
    auto done = put(wanted(files, on_top));
    if (done || names_.answers_for(files).empty())
        return done;
    if (!put(apply_overrides(files, on_top).policy))
        return done;
    log::error("no address of a DNS name is governed, since the policy could not be put in "
               "force with them: {}",
               done.error().text());
    return {};
}

Result<bool> PolicyKeeper::refresh() {
    Wanted now = wanted(from_files_, live_overrides(system_clock::now()));
    if (now.policy == publisher_.now()->policy()) {
        tell(std::move(now.notices));
        return false;
    }
    if (auto done = put(std::move(now)); !done)
        return fail(done.error());
    return true;
}

Result<void> PolicyKeeper::reload() {
    const PolicyReport report = check_policy(file_);
    for (const auto& warning : report.warnings.problems())
        log::warn("{}", warning.text());
    auto loaded = report.result();
    auto done = loaded ? Result<void>() : fail(loaded.error());
    if (done) {
        told_.clear();
        done = put_at_any_rate(*loaded);
    }
    if (!done) {
        error_ = done.error().text();
        return done;
    }
    from_files_ = std::move(*loaded);
    error_.clear();
    recalled_ = false;
    loaded_ = system_clock::now();
    const ProblemList doubts = find_unmatched_from(report.from);
    for (const auto& doubt : doubts.problems())
        log::warn("{}", doubt.text());
    if (auto followed = names_.follow(from_files_); !followed)
        log::error("{}", followed.error().text());
    return {};
}

void PolicyKeeper::adopt_running(const Error& why) {
    error_ = why.text();
    Policy running;
    running.services = map_.recall();
    publisher_.publish(std::move(running));
    recalled_ = true;
    (void)live_overrides(system_clock::now()); // and when the next one expires
}

Result<void> PolicyKeeper::put_override(const Override& wanted) {
    if (!error_.empty())
        return fail(
            Error(fmt::format("the policy files are refused: {}", error_))
                .hint("correct them first; `ballast reload` says whether they are accepted"));
    auto all = live_overrides(system_clock::now());
    std::erase_if(all, [&](const Override& other) { return other.target == wanted.target; });
    all.push_back(wanted);
    Wanted merged = this->wanted(from_files_, all);
    for (const auto& skipped : merged.skipped)
        if (skipped.target == wanted.target)
            return fail(Error(skipped.why));
    if (auto done = put(std::move(merged)); !done)
        return done;
    if (auto stored = store_.put_override(wanted); !stored) {
        (void)put(this->wanted(from_files_, live_overrides(system_clock::now())));
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
    if (auto done = put(wanted(from_files_, rest)); !done)
        return fail(done.error());
    return true;
}

} // namespace ballast::policy
