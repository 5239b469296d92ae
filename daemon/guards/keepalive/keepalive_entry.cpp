// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/keepalive/keepalive_entry.h"

#include "daemon/guards/keepalive/keepalive_choice.h"
#include "daemon/util/quote.h"

namespace ballast {
namespace {

using namespace std::chrono_literals;

/// TCP_KEEPIDLE and TCP_KEEPINTVL take up to 32,767 seconds, TCP_KEEPCNT up to 127.
constexpr DurationRange kIdle{1s, 9h};
constexpr DurationRange kInterval{1s, 1h};
constexpr std::uint8_t kMaxCount = 127;
/// As keepalive_choice.h has it for `auto`.
constexpr std::chrono::seconds kPatience = guards::patience;

/// The kernel counts in seconds.
void fill_seconds(const TableReader& reader, std::chrono::seconds& field, std::string_view key,
                  const DurationRange& range) {
    const auto value = reader.duration(key, range);
    if (!value)
        return;
    field = std::chrono::duration_cast<std::chrono::seconds>(*value);
    if (field != *value)
        reader.problem(key, fmt::format("{} is not a whole number of seconds",
                                        in_quotes(duration_text(*value))));
}

void read_word(const TableReader& service, const std::string& word, ServiceEntry& entry) {
    KeepaliveRule& out = entry.row.keepalive;
    if (word == "auto") {
        out.kind = KeepaliveKind::automatic;
    } else if (word == "off") {
        out.kind = KeepaliveKind::off;
        entry.keepalive_mode = Mode::off;
    } else {
        service.problem("keepalive", fmt::format("{} is not one of auto, off; or wanted a table "
                                                 "such as {{ idle = \"60s\" }}",
                                                 in_quotes(word)));
    }
}

void read_table(const TableReader& reader, ServiceEntry& entry) {
    KeepaliveRule& out = entry.row.keepalive;
    entry.keepalive_mode = reader.choice<Mode>("mode", kModeNames);
    if (reader.has("idle"))
        out.kind = KeepaliveKind::fixed;
    fill_seconds(reader, out.idle, "idle", kIdle);
    fill_seconds(reader, out.interval, "interval", kInterval);
    reader.fill(out.count, "count", std::uint8_t{1}, kMaxCount);
    const auto lasting = out.interval * out.count;
    if (reader.has("idle") && lasting < kPatience)
        reader.problem(reader.has("interval") ? "interval" : "count",
                       fmt::format("{} probes, {} apart, end a connection after {} without an "
                                   "answer; {} at least, for shorter outages are ordinary",
                                   out.count, duration_text(out.interval), duration_text(lasting),
                                   duration_text(kPatience)));
    for (const auto* key : {"interval", "count"})
        if (reader.has(key) && !reader.has("idle"))
            reader.problem(key, "needs idle; without it keepalive is chosen by what is known of "
                                "the path");
    reader.fill(out.learn_prefix.ipv4, "learn_prefix_ipv4", std::uint8_t{0},
                LearnPrefixes::most_ipv4);
    reader.fill(out.learn_prefix.ipv6, "learn_prefix_ipv6", std::uint8_t{0},
                LearnPrefixes::most_ipv6);
    for (const auto* key : {"learn_prefix_ipv4", "learn_prefix_ipv6"})
        if (reader.has(key) && reader.has("idle"))
            reader.problem(key, "has no meaning beside idle, which is never learned");
    reader.refuse_the_rest();
}

void read_times(const TableReader& service, KeepaliveRule& out) {
    fill_seconds(service, out.start, "keepalive_start", kIdle);
    fill_seconds(service, out.max, "keepalive_max", kIdle);
    if (out.max.count() != 0 && out.max < out.start)
        service.problem("keepalive_max", fmt::format("{} is less than keepalive_start, {}",
                                                     in_quotes(duration_text(out.max)),
                                                     in_quotes(duration_text(out.start))));
}

} // namespace

void read_keepalive(const TableReader& service, const toml::node* node,
                    const KeepaliveComplaints& complaints, ServiceEntry& entry) {
    if (node != nullptr && node->is_string())
        read_word(service, *node->value<std::string>(), entry);
    else if (node != nullptr && node->is_table())
        read_table({*node->as_table(), complaints.file, "service.keepalive.", complaints.errors},
                   entry);
    else if (node != nullptr)
        service.problem("keepalive", described(*node) + " is neither \"auto\", \"off\" nor a table "
                                                        "such as { idle = \"60s\" }");
    read_times(service, entry.row.keepalive);
    for (const auto* key : {"keepalive_start", "keepalive_max"})
        if (service.has(key) && entry.row.keepalive.kind != KeepaliveKind::automatic)
            complaints.warnings.add(service.place(key), service.full_key(key),
                                    "has no effect: keepalive is not \"auto\"");
}

} // namespace ballast
