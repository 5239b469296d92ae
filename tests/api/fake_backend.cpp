// SPDX-License-Identifier: Apache-2.0
#include "tests/api/fake_backend.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace ballast::test {
namespace {

Error broken(const char* tried) {
    return Error::system(tried, EIO).hint("this daemon was made to fail");
}

} // namespace

FakeBackend::FakeBackend(Scene scene, std::function<void()> on_stop)
    : scene_(scene), on_stop_(std::move(on_stop)), overrides_(scene_overrides(scene)),
      breakers_(scene_breakers(scene)), generation_(scene_status(scene).policy_generation) {}

DaemonStatus FakeBackend::status() {
    if (scene_ == Scene::broken)
        throw std::runtime_error("the status cannot be had");
    ++asked_for_status_;
    DaemonStatus status = scene_status(scene_);
    status.policy_generation = generation_;
    return status;
}

FlowTable FakeBackend::flows() {
    if (scene_ == Scene::broken)
        return {};
    return {scene_flows(scene_), std::chrono::milliseconds(3'200), 0};
}

std::optional<Result<void>> FakeBackend::sweep_outcome(std::uint64_t /*number*/) {
    if (scene_ == Scene::broken)
        return fail(broken("sweep"));
    if (scene_ == Scene::sweeping && asked_for_status_ < 3)
        return std::nullopt;
    return Result<void>();
}

std::vector<Override> FakeBackend::overrides() {
    if (scene_ == Scene::broken)
        throw std::runtime_error("the overrides cannot be had");
    return overrides_;
}

Result<void> FakeBackend::put_override(Override wanted) {
    if (scene_ == Scene::broken)
        return fail(broken("store"));
    std::erase_if(overrides_, [&](const Override& row) { return row.target == wanted.target; });
    overrides_.push_back(std::move(wanted));
    return {};
}

Result<bool> FakeBackend::remove_override(const std::string& target) {
    if (scene_ == Scene::broken)
        return fail(broken("store"));
    return std::erase_if(overrides_, [&](const Override& row) { return row.target == target; }) !=
           0;
}

PathReport FakeBackend::learn_path(const PathReport& report) {
    if (scene_ == Scene::broken)
        throw std::runtime_error("the paths cannot be had");
    return report;
}

std::vector<BreakerRow> FakeBackend::breakers() {
    if (scene_ == Scene::broken)
        throw std::runtime_error("the breakers cannot be had");
    return breakers_;
}

PortTable FakeBackend::ports() {
    if (scene_ == Scene::broken)
        throw std::runtime_error("the ports cannot be had");
    return scene_ports(scene_);
}

ListenerTable FakeBackend::listeners() {
    if (scene_ == Scene::broken)
        throw std::runtime_error("the listeners cannot be had");
    return scene_listeners(scene_);
}

/// Of the scene's own rows: those in trouble are not ready.
std::optional<ReadyRow> FakeBackend::ready(const Endpoint& endpoint, std::uint32_t /*netns*/) {
    for (const auto& row : scene_listeners(scene_).rows) {
        if (row.local != endpoint)
            continue;
        ReadyRow made;
        made.endpoint = endpoint;
        if (row.state < ListenerState::overflow)
            return made;
        made.is_ready = false;
        made.percent = row.state == ListenerState::overflow ? 1 : 0;
        made.why = "129 of 128 wait, the first for 2310 ms";
        return made;
    }
    return std::nullopt;
}

Result<void> FakeBackend::force_breaker(const BreakerOrder& order) {
    if (scene_ == Scene::broken)
        return fail(broken("breakers"));
    for (const DestinationRow& row : scene_destinations(scene_)) {
        if (row.endpoint != order.endpoint)
            continue;
        BreakerRow& breaker = breaker_of(row);
        breaker.forced = order.force;
        breaker.forced_by = order.force == BreakerForce::none ? "" : order.by;
        breaker.forced_reason = order.reason;
        breaker.forced_for = order.lasts;
    }
    return {};
}

BreakerRow& FakeBackend::breaker_of(const DestinationRow& row) {
    const auto found = std::ranges::find_if(breakers_, [&](const BreakerRow& breaker) {
        return breaker.endpoint == row.endpoint && breaker.service == row.service;
    });
    if (found != breakers_.end())
        return *found;
    BreakerRow& made = breakers_.emplace_back();
    made.endpoint = row.endpoint;
    made.service = row.service;
    made.mode = row.mode;
    return made;
}

FindingPage FakeBackend::findings_of(const FindingQuery& query) {
    if (scene_ == Scene::broken)
        throw std::runtime_error("the findings cannot be had");
    FindingPage page;
    for (const KeptFinding& one : scene_findings(scene_)) {
        page.last_id = one.id;
        if (query.matches(one))
            page.rows.push_back(one);
    }
    page.total = page.rows.size();
    while (page.rows.size() > query.limit)
        page.rows.erase(query.after ? page.rows.end() - 1 : page.rows.begin());
    return page;
}

Explanation FakeBackend::explain(const Endpoint& endpoint,
                                 const std::optional<std::string>& cgroup_path) {
    if (scene_ == Scene::broken)
        throw std::runtime_error("the policy cannot be had");
    Policy policy;
    policy.services = scene_services(scene_);
    return ballast::explain(policy, endpoint, cgroup_path);
}

Result<void> FakeBackend::reload() {
    const std::string error = scene_status(scene_).policy_error;
    if (!error.empty())
        return fail(Error(error));
    ++generation_;
    return {};
}

} // namespace ballast::test
