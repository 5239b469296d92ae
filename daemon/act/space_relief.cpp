// SPDX-License-Identifier: Apache-2.0
#include "daemon/act/space_relief.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

namespace ballast::act {

namespace {

constexpr auto range_sysctl = "net/ipv4/ip_local_port_range";
constexpr auto reuse_sysctl = "net/ipv4/tcp_tw_reuse";
constexpr auto delay_sysctl = "net/ipv4/tcp_tw_reuse_delay"; // ms
constexpr auto reuse_always = "1"; // 2, the default, is for loopback alone

/// Fewer have no second parity.
constexpr std::uint32_t least_ports = 4;

Result<PortRange> range_of(const std::string& text) {
    std::istringstream words(text);
    PortRange range;
    if (!(words >> range.low >> range.high) || range.low > range.high || range.high > 65'535)
        return fail(Error(fmt::format("\"{}\" is no range of ports", text)));
    return range;
}

/// The value of a field of /proc/net/snmp or netstat: two lines, of names and of values, for each
/// protocol.
std::optional<std::uint64_t> counter(const std::string& path, const std::string& protocol,
                                     const std::string& field) {
    std::ifstream file(path);
    std::string names, values;
    while (std::getline(file, names) && std::getline(file, values)) {
        if (!names.starts_with(protocol + ":"))
            continue;
        std::istringstream name_words(names), value_words(values);
        std::string name, value;
        while (name_words >> name && value_words >> value)
            if (name == field)
                return std::stoull(value);
    }
    return std::nullopt;
}

} // namespace

std::string PortRange::text() const {
    return fmt::format("{} {}", low, high);
}

Result<SpaceRelief> SpaceRelief::open(std::uint32_t inode, UndoList& list) {
    kernel::NetNamespace where{inode, ""};
    Result<Space> space;
    const auto entered = in_space(where, 0, [&] { space = own_space(); });
    if (!entered)
        return fail(entered.error());
    if (!space)
        return fail(space.error());
    return SpaceRelief(where, space->cookie, list);
}

/// In the namespace: S1 and S2. Taking it back has to happen outside.
Result<void> SpaceRelief::set(const std::string& name, const std::string& value) {
    SysctlChange change = change_of(name);
    const SysctlChange* known = list_->find(change);
    Result<void> outcome;
    const auto entered = in_space(where_, cookie_, [&] {
        const auto now = read_sysctl(name);
        if (!now) {
            outcome = fail(now.error());
            return;
        }
        const bool is_ours = !known || *now == known->before ||
                             std::ranges::find(known->ours, *now) != known->ours.end();
        if (!is_ours) {
            outcome = fail(Error(fmt::format("somebody else set {} to {}", name, *now), ECANCELED));
            return;
        }
        change.before = known ? known->before : *now;
        change.ours = {value};
        outcome = list_->add(change).and_then([&] { return write_sysctl(name, value); });
    });
    if (!entered)
        outcome = entered;
    // it was not made, or is somebody else's now
    if (!outcome && (!known || outcome.error().errno_value() == ECANCELED))
        (void)list_->undo(change);
    return outcome;
}

Result<void> SpaceRelief::put_back(const std::string& name) {
    if (!list_->find(change_of(name)))
        return {};
    const Undone undone = list_->undo(change_of(name));
    switch (undone.how) {
    case Undone::How::restored:
    case Undone::How::unchanged:
        return {};
    case Undone::How::overridden:
        return fail(Error(text_of(undone), ECANCELED));
    case Undone::How::gone:
        return fail(Error(text_of(undone), ENOENT));
    case Undone::How::failed:
        break;
    }
    return fail(Error(text_of(undone)));
}

Result<void> SpaceRelief::apply_range() {
    if (!is_flipped_ && !wider_) {
        before_.reset();
        return put_back(range_sysctl);
    }
    if (!before_) {
        Result<std::string> text;
        auto entered = in_space(where_, cookie_, [&] { text = read_sysctl(range_sysctl); });
        if (!entered)
            return entered;
        const auto range = text ? range_of(*text) : fail(text.error());
        if (!range)
            return fail(range.error());
        before_ = *range;
    }
    const PortRange base = wider_.value_or(*before_);
    if (base.high - base.low + 1 < least_ports)
        return fail(Error(fmt::format("{} is too small a range", base.text()), EINVAL));
    return set(range_sysctl, (is_flipped_ ? base.flipped() : base).text());
}

Result<void> SpaceRelief::flip() {
    is_flipped_ = !is_flipped_;
    auto applied = apply_range();
    if (!applied)
        is_flipped_ = !is_flipped_;
    return applied;
}

Result<void> SpaceRelief::stop_flipping() {
    is_flipped_ = false;
    return apply_range();
}

Result<void> SpaceRelief::widen(const PortRange& range) {
    wider_ = range;
    auto applied = apply_range();
    if (!applied)
        wider_.reset();
    return applied;
}

Result<void> SpaceRelief::stop_widening() {
    wider_.reset();
    return apply_range();
}

Result<void> SpaceRelief::reuse(std::chrono::milliseconds after) {
    Result<std::string> now, delay;
    auto entered = in_space(where_, cookie_, [&] {
        now = read_sysctl(reuse_sysctl);
        delay = read_sysctl(delay_sysctl);
    });
    if (!entered)
        return entered;
    if (now && *now == reuse_always && !list_->find(change_of(reuse_sysctl)))
        return fail(Error("net.ipv4.tcp_tw_reuse is 1 already", EALREADY));
    auto done = set(reuse_sysctl, reuse_always);
    const bool is_sooner = after.count() != 0 && delay && std::atol(delay->c_str()) > after.count();
    if (!done || !is_sooner)
        return done;
    done = set(delay_sysctl, fmt::format("{}", after.count()));
    if (!done)
        (void)put_back(reuse_sysctl);
    return done;
}

Result<void> SpaceRelief::stop_reusing() {
    auto delayed = put_back(delay_sysctl);
    auto done = put_back(reuse_sysctl);
    return done ? delayed : done;
}

Result<SynCounts> SpaceRelief::syn_counts() {
    return act::syn_counts(where_, cookie_);
}

Result<SynCounts> syn_counts(kernel::NetNamespace where, std::uint64_t cookie) {
    std::optional<std::uint64_t> opens, retransmits;
    const auto entered = in_space(where, cookie, [&] {
        opens = counter("/proc/thread-self/net/snmp", "Tcp", "ActiveOpens");
        retransmits = counter("/proc/thread-self/net/netstat", "TcpExt", "TCPSynRetrans");
    });
    if (!entered)
        return fail(entered.error());
    if (!opens || !retransmits)
        return fail(Error("/proc/net has no ActiveOpens or TCPSynRetrans", ENOENT));
    return SynCounts{*opens, *retransmits};
}

} // namespace ballast::act
