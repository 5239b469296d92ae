// SPDX-License-Identifier: Apache-2.0
// What verbs print whose result depends on the kernel of the host, from fixed results.
#include "cli/views/views.h"
#include "tests/golden/golden.h"
#include "tests/harness/group.h"
#include "tests/harness/suite.h"

namespace test_views {

namespace {

using namespace ballast::test;
using namespace ballast::cli;
using ballast::kernel::Answer;
using ballast::kernel::Probe;

const std::string kBpffs = "/sys/fs/bpf/ballast";

std::vector<Probe> new_kernel() {
    return {{"BTF of the kernel", Answer::yes, "", "nothing: programs cannot be relocated", true},
            {"cgroup/connect4", Answer::yes, "", "no admission", true},
            {"unshared mounts", Answer::unknown, "open /proc/1/ns/net: Permission denied",
             "other network namespaces are not swept", false}};
}

std::vector<Probe> old_kernel() {
    auto probes = new_kernel();
    probes.push_back({"bpf_set_retval in cgroup/connect4", Answer::no,
                      "bpf(BPF_PROG_LOAD): Invalid argument",
                      "a refusal could only be EPERM, which applications do not expect", true});
    return probes;
}

/// `discover` of a path that drops what is silent for 350 s; `changes` are merged into it.
Table discovered(const Json& changes) {
    Json document{{"schema", 1},
                  {"kind", "discover"},
                  {"destination", "10.0.0.5:5432"},
                  {"name", "db.internal"},
                  {"outcome", "bracketed"},
                  {"survived_ms", 310'543},
                  {"died_ms", 357'090},
                  {"death", "silently_dropped"},
                  {"closes_after_ms", nullptr},
                  {"elapsed_ms", 455'935},
                  {"opened", 48},
                  {"connections", 12},
                  {"max_ms", 900'000},
                  {"resolution_percent", 15},
                  {"volleys_lost", 0},
                  {"silences_broken", 0},
                  {"contradictions", 0},
                  {"odd_ends", 0}};
    document.update(changes);
    return discover_view(document);
}

const Json kNothingDied{{"died_ms", nullptr}, {"death", nullptr}};

Json nothing_died(Json changes) {
    changes.update(kNothingDied);
    return changes;
}

struct Row {
    std::string name;
    std::string verb;
    Table (*table)();
};

const std::vector<Row> kRows{
    {"check", "check", [] { return check_view(new_kernel()); }},
    {"check-old", "check", [] { return check_view(old_kernel()); }},
    {"arm", "arm", [] { return armed_view(kBpffs, false, true); }},
    {"arm-again", "arm", [] { return armed_view(kBpffs, true, true); }},
    {"disarm", "disarm", [] { return armed_view(kBpffs, true, false); }},
    {"disarm-again", "disarm", [] { return armed_view(kBpffs, false, false); }},
    {"discover", "discover db.internal:5432", [] { return discovered(Json::object()); }},
    {"discover-reset", "discover 10.0.0.5:5432",
     [] {
         return discovered(
             {{"name", nullptr}, {"death", "reset"}, {"volleys_lost", 2}, {"contradictions", 1}});
     }},
    {"discover-reset-unasked", "discover db.internal:5432",
     [] {
         return discovered({{"death", "reset_unasked"}, {"died_ms", 350'001}});
     }},
    {"discover-late", "discover db.internal:5432",
     [] {
         return discovered({{"survived_ms", 300'000}});
     }},
    {"discover-short", "discover db.internal:5432",
     [] {
         return discovered({{"survived_ms", nullptr}, {"died_ms", 2'041}});
     }},
    {"discover-none", "discover db.internal:5432",
     [] {
         return discovered(nothing_died({{"outcome", "none_up_to_max"}, {"survived_ms", 900'000}}));
     }},
    {"discover-closes", "discover db.internal:5432",
     [] {
         return discovered(nothing_died(
             {{"outcome", "peer_closes"}, {"survived_ms", 60'000}, {"closes_after_ms", 60'000}}));
     }},
    {"discover-interrupted", "discover db.internal:5432",
     [] {
         return discovered(nothing_died({{"outcome", "interrupted"},
                                         {"survived_ms", 46'811},
                                         {"elapsed_ms", 61'204},
                                         {"opened", 40}}));
     }},
    {"unload-pins", "unload",
     [] {
         return unload_view({kBpffs,
                             4242,
                             {kBpffs + "/link/connect4", kBpffs + "/map/control"},
                             {"restored net.ipv4.ip_local_port_range in network namespace "
                              "4026531840 to 32768 60999"}});
     }},
};

void shows(const Row& row) {
    const Table table = row.table();
    const std::string command = "$ ballast " + row.verb;
    check_golden("view-" + row.name,
                 command + "\n" + table.text({}) + command + " --json\n" + table.json());
}

} // namespace

TEST_GROUP(views) {
    return Suite().each(kRows, "shows", shows).run("views");
}

} // namespace test_views
