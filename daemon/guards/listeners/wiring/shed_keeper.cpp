// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/listeners/wiring/shed_keeper.h"

#include <algorithm>
#include <array>

#include "daemon/kernel/ingress.h"
#include "daemon/kernel/instance.h"
#include "daemon/util/clock.h"
#include "daemon/util/log.h"
#include "daemon/util/quote.h"

namespace ballast::guards {

namespace {

constexpr const char* program = "shed";

/// Those that are not off, with the mode that holds for each now.
std::vector<ListenerRule> rules_in_force(const PolicyInForce& now) {
    std::vector<ListenerRule> rules;
    for (const auto& rule : now.policy().listeners) {
        if (rule.mode == Mode::off)
            continue;
        rules.push_back(rule);
        rules.back().mode = now.policy().governor.dry_run ? Mode::observe : now.allowed(rule.mode);
    }
    return rules;
}

/// What comes in by it comes to the device that it is a port of next, and is looked at there.
bool is_port(const netlink::Device& device) {
    constexpr std::array<std::string_view, 4> kinds{"bond", "bridge", "team", "openvswitch"};
    return std::ranges::find(kinds, device.part_of) != kinds.end();
}

} // namespace

ShedKeeper::ShedKeeper(const Surroundings& around)
    : loop_(around.loop), findings_(around.findings),
      bpffs_dir_(around.instance.programs().bpffs_dir()) {}

Result<std::unique_ptr<Guard>> ShedKeeper::make(const Surroundings& around) {
    return std::unique_ptr<Guard>(new ShedKeeper(around));
}

Result<void> ShedKeeper::prepare() {
    if (shedder_)
        return {};
    auto shedder = kernel::Shedder::load(bpffs_dir_);
    if (!shedder)
        return fail(shedder.error());
    auto links = netlink::Links::open();
    if (!links)
        return fail(links.error());
    links_ = std::move(*links);
    auto events = loop_.on_readable(links_->descriptor(), [this] {
        links_->consume();
        follow_devices();
    });
    if (!events)
        return fail(events.error());
    link_events_ = std::move(*events);
    shedder_ = std::move(*shedder);
    return {};
}

void ShedKeeper::changed(const PolicyInForce& now) {
    rules_ = rules_in_force(now);
    interfaces_ = now.policy().listener_options.interfaces;
    if (rules_.empty() || interfaces_.empty())
        end();
    else
        enforce();
}

void ShedKeeper::enforce() {
    auto done = prepare().and_then([&] { return shedder_->put(rules_); });
    if (!done) {
        if (lacking_.empty())
            log::warn("no SYN is shed: {}", done.error().text());
        lacking_ = done.error().text();
        return;
    }
    lacking_.clear();
    follow_devices();
}

/// No rule or device is left: nothing stays in the kernel, of an earlier daemon either.
void ShedKeeper::end() {
    link_events_ = {};
    links_.reset();
    shedder_.reset();
    devices_.clear();
    errors_.clear();
    lacking_.clear();
    std::vector<std::string> removed;
    if (kernel::Shedder::is_pinned(bpffs_dir_))
        if (auto done = kernel::Shedder::remove(bpffs_dir_, removed); !done)
            log::warn("what sheds SYNs could not be removed: {}", done.error().text());
}

void ShedKeeper::attach(const netlink::Device& device) {
    auto done = shedder_->attach(device.index);
    if (done) {
        errors_.erase(device.index);
        return;
    }
    auto& known = errors_[device.index];
    if (known.empty())
        log::warn("SYNs that come in by {} are not looked at: {}", device.name,
                  done.error().text());
    known = done.error().text();
}

void ShedKeeper::follow_devices() {
    auto all = links_->all();
    if (!all) {
        log::warn("network devices are not known: {}", all.error().text());
        return;
    }
    std::map<std::uint32_t, netlink::Device> wanted;
    for (auto& device : *all)
        if (!is_port(device) && std::ranges::any_of(interfaces_, [&](const std::string& glob) {
                return netlink::matches_glob(glob, device.name);
            }))
            wanted.emplace(device.index, std::move(device));
    const auto before = shedder_->attachments();
    auto known = kernel::Ingress::pinned(bpffs_dir_);
    for (const auto& one : before)
        known.push_back(one.device);
    for (const auto device : known)
        if (!wanted.contains(device))
            if (auto done = shedder_->detach(device); !done)
                log::warn("a program could not be detached: {}", done.error().text());
    std::erase_if(errors_, [&](const auto& one) { return !wanted.contains(one.first); });
    for (const auto& [index, device] : wanted)
        if (std::ranges::none_of(before,
                                 [index = index](const auto& one) { return one.device == index; }))
            attach(device);
    devices_ = std::move(wanted);
}

/// Others may detach it; the kernel's own way to say so is to be asked.
void ShedKeeper::reattach() {
    for (const auto& one : shedder_->attachments()) {
        const auto device = devices_.find(one.device);
        if (one.is_attached || device == devices_.end())
            continue;
        attach(device->second);
        const auto failed = errors_.find(one.device);
        const bool is_back = failed == errors_.end();
        reattached_ += is_back ? 1 : 0;
        findings_.add(
            {.reason = is_back ? findings::Reason::hook_reattached : findings::Reason::hook_lost,
             .evidence =
                 fmt::format("program={} device={}{}", program, one_word(device->second.name),
                             is_back ? "" : " error=\"" + failed->second + "\""),
             .kind = program,
             .acted = is_back});
    }
    for (const auto& [index, device] : devices_)
        if (errors_.contains(index))
            attach(device);
}

void ShedKeeper::wake() {
    if (!shedder_)
        return;
    reattach();
    for (auto& finding : watch_.read(rows(), now()))
        findings_.add(std::move(finding));
}

std::vector<ShedRow> ShedKeeper::rows() const {
    std::vector<ShedRow> rows;
    const auto counts = shedder_->counts();
    for (std::size_t i = 0; i < counts.size(); ++i)
        rows.push_back({.rule = rules_.at(i), .mode = rules_.at(i).mode, .counts = counts.at(i)});
    return rows;
}

ShedDevice ShedKeeper::row_of(const netlink::Device& device) const {
    ShedDevice row{.name = device.name, .kind = {}, .is_attached = false, .error = {}, .chain = {}};
    for (const auto& one : shedder_->attachments())
        if (one.device == device.index) {
            row.kind = one.kind;
            row.is_attached = one.is_attached;
        }
    if (const auto failed = errors_.find(device.index); failed != errors_.end())
        row.error = failed->second;
    row.chain = kernel::Ingress::chain(device.index);
    if (device.xdp != 0)
        row.chain.insert(row.chain.begin(), fmt::format("xdp:{}", device.xdp));
    return row;
}

void ShedKeeper::report(DaemonStatus& status) const {
    status.shed.lacking = lacking_;
    status.shed.reattached = reattached_;
    if (!shedder_)
        return;
    status.shed.rows = rows();
    status.shed.undecided = shedder_->undecided();
    for (const auto& [index, device] : devices_)
        status.shed.devices.push_back(row_of(device));
}

} // namespace ballast::guards
