// SPDX-License-Identifier: Apache-2.0
// The structs of bpf/abi.h as the C++ compiler lays them out, against the BTF of the same structs
// compiled for BPF: every member of every struct by name, offset and size.
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "ballast.skel.h"
#include "bpf/abi.h"
#include "layout.skel.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_layout {

namespace {

struct Member {
    const char* name;
    std::size_t offset;
    std::size_t size;
};

struct Layout {
    const char* name;
    std::size_t size;
    std::span<const Member> members;
};

#define MEMBER(type, member)                                                                       \
    Member {                                                                                       \
#member, offsetof(type, member), sizeof(type::member)                                      \
    }

constexpr std::array control_members{MEMBER(ballast_control, abi_version),
                                     MEMBER(ballast_control, ready),
                                     MEMBER(ballast_control, disarmed),
                                     MEMBER(ballast_control, next_destination),
                                     MEMBER(ballast_control, heartbeat_ns),
                                     MEMBER(ballast_control, daemon_grace_ns),
                                     MEMBER(ballast_control, confined_cgroup),
                                     MEMBER(ballast_control, confined_level),
                                     MEMBER(ballast_control, sweep),
                                     MEMBER(ballast_control, policy_generation),
                                     MEMBER(ballast_control, next_consumer),
                                     MEMBER(ballast_control, next_share),
                                     MEMBER(ballast_control, next_breaker),
                                     MEMBER(ballast_control, watch_times),
                                     MEMBER(ballast_control, half),
                                     MEMBER(ballast_control, trip_budget),
                                     MEMBER(ballast_control, tuning),
                                     MEMBER(ballast_control, suspect_after),
                                     MEMBER(ballast_control, suspect_until),
                                     MEMBER(ballast_control, ticks_per_second),
                                     MEMBER(ballast_control, watch_connects),
                                     MEMBER(ballast_control, watches_states),
                                     MEMBER(ballast_control, slept_ns),
                                     MEMBER(ballast_control, can_watch),
                                     MEMBER(ballast_control, lost_watch),
                                     MEMBER(ballast_control, unwatched),
                                     MEMBER(ballast_control, redirects)};
#define BALLAST_ROW(name, group, help) MEMBER(ballast_counters, name),
constexpr auto counters_members = std::to_array<Member>({BALLAST_COUNTERS(BALLAST_ROW)});
#undef BALLAST_ROW
constexpr std::array breaker_limits_members{MEMBER(ballast_breaker_limits, window_ms),
                                            MEMBER(ballast_breaker_limits, slow_connect_ms),
                                            MEMBER(ballast_breaker_limits, reset_within_ms),
                                            MEMBER(ballast_breaker_limits, open_for_ms),
                                            MEMBER(ballast_breaker_limits, open_max_ms),
                                            MEMBER(ballast_breaker_limits, ramp_ms),
                                            MEMBER(ballast_breaker_limits, thresholds),
                                            MEMBER(ballast_breaker_limits, probes),
                                            MEMBER(ballast_breaker_limits, ramp_start),
                                            MEMBER(ballast_breaker_limits, mode),
                                            MEMBER(ballast_breaker_limits, failure_percent),
                                            MEMBER(ballast_breaker_limits, reserved)};
constexpr std::array makers_members{MEMBER(ballast_makers, destinations),
                                    MEMBER(ballast_makers, breakers)};
constexpr std::array breaker_party_members{MEMBER(ballast_breaker_party, who),
                                           MEMBER(ballast_breaker_party, failed),
                                           MEMBER(ballast_breaker_party, succeeded)};
constexpr std::array breaker_members{
    MEMBER(ballast_breaker, word),         MEMBER(ballast_breaker, probes),
    MEMBER(ballast_breaker, since_ms),     MEMBER(ballast_breaker, forced_until_ms),
    MEMBER(ballast_breaker, forced),       MEMBER(ballast_breaker, last_error),
    MEMBER(ballast_breaker, opened),       MEMBER(ballast_breaker, withheld),
    MEMBER(ballast_breaker, counts),       MEMBER(ballast_breaker, newest),
    MEMBER(ballast_breaker, used),         MEMBER(ballast_breaker, ramp_base),
    MEMBER(ballast_breaker, destination),  MEMBER(ballast_breaker, in_use),
    MEMBER(ballast_breaker, parties),      MEMBER(ballast_breaker, maker),
    MEMBER(ballast_breaker, last_failure), MEMBER(ballast_breaker, born),
    MEMBER(ballast_breaker, reserved),     MEMBER(ballast_breaker, forced_by),
    MEMBER(ballast_breaker, forced_reason)};
constexpr std::array event_members{
    MEMBER(ballast_event, now_ms),     MEMBER(ballast_event, deadline_ms),
    MEMBER(ballast_event, address),    MEMBER(ballast_event, port),
    MEMBER(ballast_event, service),    MEMBER(ballast_event, destination),
    MEMBER(ballast_event, from),       MEMBER(ballast_event, to),
    MEMBER(ballast_event, level),      MEMBER(ballast_event, withheld),
    MEMBER(ballast_event, last_error), MEMBER(ballast_event, counts),
    MEMBER(ballast_event, mode),       MEMBER(ballast_event, scope),
    MEMBER(ballast_event, reserved),   MEMBER(ballast_event, established),
    MEMBER(ballast_event, who),        MEMBER(ballast_event, reserved_too)};
constexpr std::array suspicion_members{MEMBER(ballast_suspicion, cookie),
                                       MEMBER(ballast_suspicion, bytes_acked),
                                       MEMBER(ballast_suspicion, bytes_received),
                                       MEMBER(ballast_suspicion, now_ns),
                                       MEMBER(ballast_suspicion, local_address),
                                       MEMBER(ballast_suspicion, remote_address),
                                       MEMBER(ballast_suspicion, local_port),
                                       MEMBER(ballast_suspicion, remote_port),
                                       MEMBER(ballast_suspicion, netns),
                                       MEMBER(ballast_suspicion, interface),
                                       MEMBER(ballast_suspicion, packets_out),
                                       MEMBER(ballast_suspicion, snd_wnd),
                                       MEMBER(ballast_suspicion, silent_jiffies),
                                       MEMBER(ballast_suspicion, try_jiffies),
                                       MEMBER(ballast_suspicion, srtt_us),
                                       MEMBER(ballast_suspicion, total_retrans),
                                       MEMBER(ballast_suspicion, data_segs_out),
                                       MEMBER(ballast_suspicion, segment),
                                       MEMBER(ballast_suspicion, mss),
                                       MEMBER(ballast_suspicion, mark),
                                       MEMBER(ballast_suspicion, queued),
                                       MEMBER(ballast_suspicion, service),
                                       MEMBER(ballast_suspicion, kind),
                                       MEMBER(ballast_suspicion, state),
                                       MEMBER(ballast_suspicion, retransmits),
                                       MEMBER(ballast_suspicion, backoff),
                                       MEMBER(ballast_suspicion, probes),
                                       MEMBER(ballast_suspicion, flags)};
constexpr std::array prefix_key_members{MEMBER(ballast_prefix_key, prefix_len),
                                        MEMBER(ballast_prefix_key, address)};
constexpr std::array port_span_members{MEMBER(ballast_port_span, first),
                                       MEMBER(ballast_port_span, row)};
constexpr std::array prefix_rule_members{MEMBER(ballast_prefix_rule, span_count),
                                         MEMBER(ballast_prefix_rule, reserved),
                                         MEMBER(ballast_prefix_rule, spans)};
constexpr std::array alternative_members{
    MEMBER(ballast_alternative, from), MEMBER(ballast_alternative, generation),
    MEMBER(ballast_alternative, row), MEMBER(ballast_alternative, next)};
constexpr std::array from_pattern_members{MEMBER(ballast_from_pattern, text)};
constexpr std::array service_members{MEMBER(ballast_service, max_connections),
                                     MEMBER(ballast_service, service),
                                     MEMBER(ballast_service, mode),
                                     MEMBER(ballast_service, on_limit),
                                     MEMBER(ballast_service, max_total),
                                     MEMBER(ballast_service, max_per_consumer),
                                     MEMBER(ballast_service, rate_interval_ns),
                                     MEMBER(ballast_service, rate_burst_ns),
                                     MEMBER(ballast_service, connect_timeout_ms),
                                     MEMBER(ballast_service, reserved),
                                     MEMBER(ballast_service, breaker),
                                     MEMBER(ballast_service, keepalive),
                                     MEMBER(ballast_service, reserved_too)};
constexpr std::array destination_key_members{MEMBER(ballast_destination_key, address),
                                             MEMBER(ballast_destination_key, port),
                                             MEMBER(ballast_destination_key, service)};
constexpr std::array destination_members{MEMBER(ballast_destination, in_use),
                                         MEMBER(ballast_destination, service),
                                         MEMBER(ballast_destination, port),
                                         MEMBER(ballast_destination, breaker),
                                         MEMBER(ballast_destination, ask),
                                         MEMBER(ballast_destination, admitted),
                                         MEMBER(ballast_destination, adopted),
                                         MEMBER(ballast_destination, last_use_ns),
                                         MEMBER(ballast_destination, rate_tat_ns),
                                         MEMBER(ballast_destination, mark),
                                         MEMBER(ballast_destination, most_used),
                                         MEMBER(ballast_destination, admitted_mark),
                                         MEMBER(ballast_destination, admitted_before),
                                         MEMBER(ballast_destination, address),
                                         MEMBER(ballast_destination, refused),
                                         MEMBER(ballast_destination, over),
                                         MEMBER(ballast_destination, keepalive_longest_ms),
                                         MEMBER(ballast_destination, keepalive_died_ms),
                                         MEMBER(ballast_destination, first_failed),
                                         MEMBER(ballast_destination, first_failure),
                                         MEMBER(ballast_destination, maker),
                                         MEMBER(ballast_destination, reserved_end)};
constexpr std::array total_members{MEMBER(ballast_total, in_use), MEMBER(ballast_total, reserved)};
constexpr std::array consumer_members{
    MEMBER(ballast_consumer, cgroup),     MEMBER(ballast_consumer, from),
    MEMBER(ballast_consumer, generation), MEMBER(ballast_consumer, unit),
    MEMBER(ballast_consumer, zero),       MEMBER(ballast_consumer, reserved),
    MEMBER(ballast_consumer, path)};
constexpr std::array share_key_members{MEMBER(ballast_share_key, destination),
                                       MEMBER(ballast_share_key, consumer)};
constexpr std::array share_members{
    MEMBER(ballast_share, in_use), MEMBER(ballast_share, destination),
    MEMBER(ballast_share, consumer), MEMBER(ballast_share, reserved)};
constexpr std::array reservation_members{MEMBER(ballast_reservation, cookie),
                                         MEMBER(ballast_reservation, held),
                                         MEMBER(ballast_reservation, netns)};
constexpr std::array bucket_members{MEMBER(ballast_bucket, spilled),
                                    MEMBER(ballast_bucket, reserved),
                                    MEMBER(ballast_bucket, entries)};
constexpr std::array bucket_seen_members{MEMBER(ballast_bucket_seen, sweep),
                                         MEMBER(ballast_bucket_seen, reserved)};
constexpr std::array time_members{MEMBER(ballast_time, since_ms), MEMBER(ballast_time, cookie)};
constexpr std::array bucket_times_members{MEMBER(ballast_bucket_times, entries)};
constexpr std::array user_timeout_members{MEMBER(ballast_user_timeout, set_ms),
                                          MEMBER(ballast_user_timeout, own_ms)};
constexpr std::array keepalive_rule_members{
    MEMBER(ballast_keepalive_rule, idle_ms),    MEMBER(ballast_keepalive_rule, interval_s),
    MEMBER(ballast_keepalive_rule, count),      MEMBER(ballast_keepalive_rule, kind),
    MEMBER(ballast_keepalive_rule, mode),       MEMBER(ballast_keepalive_rule, learn_ipv4),
    MEMBER(ballast_keepalive_rule, learn_ipv6), MEMBER(ballast_keepalive_rule, reserved),
    MEMBER(ballast_keepalive_rule, longest_s),  MEMBER(ballast_keepalive_rule, reserved_too)};
constexpr std::array keepalive_members{MEMBER(ballast_keepalive, value),
                                       MEMBER(ballast_keepalive, chosen)};
constexpr std::array kept_keepalive_members{MEMBER(ballast_kept_keepalive, set),
                                            MEMBER(ballast_kept_keepalive, written),
                                            MEMBER(ballast_kept_keepalive, own)};
constexpr std::array flow_keepalive_members{
    MEMBER(ballast_flow_keepalive, idle_s),          MEMBER(ballast_flow_keepalive, interval_s),
    MEMBER(ballast_flow_keepalive, user_timeout_ms), MEMBER(ballast_flow_keepalive, trying_ms),
    MEMBER(ballast_flow_keepalive, count),           MEMBER(ballast_flow_keepalive, on),
    MEMBER(ballast_flow_keepalive, setter),          MEMBER(ballast_flow_keepalive, lack)};
constexpr std::array service_name_members{MEMBER(ballast_service_name, name)};
constexpr std::array flow_members{
    MEMBER(ballast_flow, cookie),         MEMBER(ballast_flow, local_address),
    MEMBER(ballast_flow, remote_address), MEMBER(ballast_flow, local_port),
    MEMBER(ballast_flow, remote_port),    MEMBER(ballast_flow, service),
    MEMBER(ballast_flow, state),          MEMBER(ballast_flow, flags),
    MEMBER(ballast_flow, netns),          MEMBER(ballast_flow, interface),
    MEMBER(ballast_flow, rtt_us),         MEMBER(ballast_flow, idle_jiffies),
    MEMBER(ballast_flow, retransmits),    MEMBER(ballast_flow, probes),
    MEMBER(ballast_flow, retune),         MEMBER(ballast_flow, signs),
    MEMBER(ballast_flow, mark),           MEMBER(ballast_flow, heard_jiffies),
    MEMBER(ballast_flow, quiet_jiffies),  MEMBER(ballast_flow, packets_in),
    MEMBER(ballast_flow, packets_out),    MEMBER(ballast_flow, acked),
    MEMBER(ballast_flow, queued),         MEMBER(ballast_flow, keepalive)};
constexpr std::array sweep_totals_members{
    MEMBER(ballast_sweep_totals, time_wait), MEMBER(ballast_sweep_totals, adopted),
    MEMBER(ballast_sweep_totals, moved), MEMBER(ballast_sweep_totals, reserved)};

constexpr std::array layouts{
    Layout{"ballast_control", sizeof(ballast_control), control_members},
    Layout{"ballast_counters", sizeof(ballast_counters), counters_members},
    Layout{"ballast_breaker_limits", sizeof(ballast_breaker_limits), breaker_limits_members},
    Layout{"ballast_makers", sizeof(ballast_makers), makers_members},
    Layout{"ballast_breaker_party", sizeof(ballast_breaker_party), breaker_party_members},
    Layout{"ballast_breaker", sizeof(ballast_breaker), breaker_members},
    Layout{"ballast_event", sizeof(ballast_event), event_members},
    Layout{"ballast_suspicion", sizeof(ballast_suspicion), suspicion_members},
    Layout{"ballast_prefix_key", sizeof(ballast_prefix_key), prefix_key_members},
    Layout{"ballast_port_span", sizeof(ballast_port_span), port_span_members},
    Layout{"ballast_prefix_rule", sizeof(ballast_prefix_rule), prefix_rule_members},
    Layout{"ballast_alternative", sizeof(ballast_alternative), alternative_members},
    Layout{"ballast_from_pattern", sizeof(ballast_from_pattern), from_pattern_members},
    Layout{"ballast_service", sizeof(ballast_service), service_members},
    Layout{"ballast_destination_key", sizeof(ballast_destination_key), destination_key_members},
    Layout{"ballast_destination", sizeof(ballast_destination), destination_members},
    Layout{"ballast_total", sizeof(ballast_total), total_members},
    Layout{"ballast_consumer", sizeof(ballast_consumer), consumer_members},
    Layout{"ballast_share_key", sizeof(ballast_share_key), share_key_members},
    Layout{"ballast_share", sizeof(ballast_share), share_members},
    Layout{"ballast_reservation", sizeof(ballast_reservation), reservation_members},
    Layout{"ballast_bucket", sizeof(ballast_bucket), bucket_members},
    Layout{"ballast_bucket_seen", sizeof(ballast_bucket_seen), bucket_seen_members},
    Layout{"ballast_time", sizeof(ballast_time), time_members},
    Layout{"ballast_bucket_times", sizeof(ballast_bucket_times), bucket_times_members},
    Layout{"ballast_user_timeout", sizeof(ballast_user_timeout), user_timeout_members},
    Layout{"ballast_keepalive_rule", sizeof(ballast_keepalive_rule), keepalive_rule_members},
    Layout{"ballast_keepalive", sizeof(ballast_keepalive), keepalive_members},
    Layout{"ballast_kept_keepalive", sizeof(ballast_kept_keepalive), kept_keepalive_members},
    Layout{"ballast_flow_keepalive", sizeof(ballast_flow_keepalive), flow_keepalive_members},
    Layout{"ballast_service_name", sizeof(ballast_service_name), service_name_members},
    Layout{"ballast_flow", sizeof(ballast_flow), flow_members},
    Layout{"ballast_sweep_totals", sizeof(ballast_sweep_totals), sweep_totals_members}};

struct CloseSkeleton {
    void operator()(ballast_bpf* skeleton) const { ballast_bpf::destroy(skeleton); }
    void operator()(layout_bpf* skeleton) const { layout_bpf::destroy(skeleton); }
};

void compare_members(const btf* types, const btf_type* type, const Layout& layout) {
    assert_int_equal(btf_vlen(type), layout.members.size());
    const btf_member* member = btf_members(type);
    for (std::size_t i = 0; i < layout.members.size(); ++i, ++member) {
        const Member& expected = layout.members[i];
        assert_string_equal(btf__name_by_offset(types, member->name_off), expected.name);
        assert_int_equal(member->offset / 8, expected.offset);
        assert_int_equal(btf__resolve_size(types, member->type), expected.size);
    }
}

void layout_is_the_same_on_both_sides(void**) {
    const std::unique_ptr<layout_bpf, CloseSkeleton> skeleton(layout_bpf::open());
    assert_non_null(skeleton.get());
    const btf* types = bpf_object__btf(skeleton->obj);
    for (const auto& layout : layouts) {
        const int id = btf__find_by_name_kind(types, layout.name, BTF_KIND_STRUCT);
        if (id < 0)
            fail_msg("%s is not in the programs' BTF", layout.name);
        const btf_type* type = btf__type_by_id(types, static_cast<__u32>(id));
        assert_int_equal(type->size, layout.size);
        compare_members(types, type, layout);
    }
}

/// A struct that is added to the contract has to be added to this test.
void every_struct_of_the_contract_is_compared(void**) {
    const std::unique_ptr<ballast_bpf, CloseSkeleton> skeleton(ballast_bpf::open());
    assert_non_null(skeleton.get());
    const btf* types = bpf_object__btf(skeleton->obj);
    // Structs of the programs' own that no other side reads.
    const std::vector<std::string> inner{
        "ballast_prefix_trie",   "ballast_place",          "ballast_places",
        "ballast_who",           "ballast_cgroup",         "ballast_choice",
        "ballast_matching",      "ballast_path",           "ballast_glob",
        "ballast_globbed",       "ballast_globbing",       "ballast_breaker_change",
        "ballast_breaker_event", "ballast_keepalive_wish", "ballast_keepalive_look",
        "ballast_outcome",       "ballast_given_up",       "ballast_due"};
    for (__u32 id = 1; id < btf__type_cnt(types); ++id) {
        const btf_type* type = btf__type_by_id(types, id);
        const std::string name = btf__name_by_offset(types, type->name_off);
        if (!btf_is_struct(type) || name.rfind("ballast_", 0) != 0)
            continue;
        bool known = false;
        for (const auto& layout : layouts)
            known = known || name == layout.name;
        for (const auto& other : inner)
            known = known || name == other;
        if (!known)
            fail_msg("%s is not compared", name.c_str());
    }
}

} // namespace

TEST_GROUP(layout) {
    const CMUnitTest tests[] = {cmocka_unit_test(layout_is_the_same_on_both_sides),
                                cmocka_unit_test(every_struct_of_the_contract_is_compared)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_layout
