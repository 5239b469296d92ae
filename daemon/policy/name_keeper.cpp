// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/name_keeper.h"

#include <algorithm>
#include <utility>

#include "daemon/util/clock.h"
#include "daemon/util/log.h"

namespace ballast::policy {

namespace {

std::string text_of(const std::vector<Address>& addresses) {
    std::string text;
    for (const Address& address : addresses)
        text += (text.empty() ? "" : ",") + address.text();
    return text;
}

} // namespace

/// Without it, answers are lost at a restart; that is only logged.
void NameKeeper::recall() {
    if (std::exchange(has_recalled_, true))
        return;
    const auto stored = store_.recall_answers();
    if (stored)
        book_.recall(*stored);
    else
        log::error("answers of DNS names from before this start are not known: {}",
                   stored.error().text());
}

const Answers& NameKeeper::answers_for(const Policy& files) {
    auto hosts = hosts_of(files);
    if (hosts.empty())
        return book_.answers();
    const auto followed = hosts_of(files_);
    hosts.insert(hosts.end(), followed.begin(), followed.end());
    book_.follow(hosts);
    recall();
    return book_.answers();
}

Result<void> NameKeeper::follow(const Policy& files) {
    files_ = files;
    const auto hosts = hosts_of(files);
    book_.follow(hosts);
    store_.keep_answers(hosts);
    schedule_.set_interval(files.daemon.resolve_every, now());
    schedule_.follow(hosts, now());
    if (hosts.empty()) {
        stop();
        return {};
    }
    for (const auto& [host, error] : book_.failing())
        warn(host, error);
    if (auto started = start(); !started)
        return fail(started.error().context("DNS names are not resolved"));
    plan();
    return {};
}

Result<void> NameKeeper::start() {
    if (resolver_)
        return {};
    auto due = loop_.timer([this] { turn(); });
    if (!due)
        return fail(due.error());
    auto settled = loop_.timer([this] { this->settled(); });
    if (!settled)
        return fail(settled.error());
    auto resolver =
        Resolver::start(loop_, [this](const std::vector<Lookup>& lookups) { hear(lookups); });
    if (!resolver)
        return fail(resolver.error());
    due_ = std::move(*due);
    settled_ = std::move(*settled);
    resolver_ = std::move(*resolver);
    return {};
}

void NameKeeper::stop() {
    resolver_.reset();
    due_ = {};
    settled_ = {};
    is_pending_ = is_settling_ = false;
}

void NameKeeper::plan() {
    if (const auto next = schedule_.next())
        due_.arm(std::max(*next - now(), Schedule::Time::duration::zero()));
}

void NameKeeper::turn() {
    resolver_->ask(schedule_.take_due(now()));
    plan();
}

void NameKeeper::hear(const std::vector<Lookup>& lookups) {
    for (const Lookup& lookup : lookups)
        hear(lookup);
    if (is_pending_ && !std::exchange(is_settling_, true))
        settled_.arm(settle_time);
    plan();
}

void NameKeeper::hear(const Lookup& lookup) {
    schedule_.answered(lookup.host, lookup.error.empty(), now());
    log::debug("looked up name={} addresses={} error=\"{}\"", lookup.host, lookup.addresses.size(),
               lookup.error);
    const Heard heard = book_.hear(lookup);
    if (heard.failed)
        warn(lookup.host, lookup.error);
    if (!heard.recovered && !heard.answer)
        return;
    const Answer& answer = book_.answers().at(lookup.host);
    if (heard.recovered)
        for (const auto& line : placed(lookup.host, "resolves again"))
            log::info("{}", line);
    is_pending_ = is_pending_ || heard.answer;
    if (!heard.addresses)
        return;
    log::info("resolved name={} addresses={}", lookup.host, text_of(answer.addresses));
    store_.put_answer(lookup.host, answer);
}

void NameKeeper::settled() {
    is_settling_ = false;
    is_pending_ = !changed_();
}

std::vector<std::string> NameKeeper::placed(const std::string& host,
                                            const std::string& message) const {
    std::vector<std::string> lines;
    for (const Service& service : files_.services)
        for (const NamedTarget& name : service.to_names)
            if (name.host == host)
                lines.push_back(fmt::format("{}: key service.to: \"{}\" of \"{}\" {}", name.origin,
                                            name.text(), service.name, message));
    return lines;
}

void NameKeeper::warn(const std::string& host, const std::string& error) const {
    const auto known = book_.answers().find(host);
    const std::string meanwhile = known == book_.answers().end()
                                      ? "no address of it is governed"
                                      : fmt::format("its last addresses stay governed ({})",
                                                    text_of(known->second.addresses));
    for (const auto& line :
         placed(host, fmt::format("does not resolve: {}; {}; it is tried again (see `getent ahosts "
                                  "{}`)",
                                  error, meanwhile, host)))
        log::warn("{}", line);
}

} // namespace ballast::policy
