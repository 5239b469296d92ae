// SPDX-License-Identifier: Apache-2.0
// What verbs print whose result depends on the kernel of the host, from fixed results.
#include "cli/views/views.h"
#include "tests/golden/golden.h"
#include "tests/harness/suite.h"

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
    {"unload-pins", "unload",
     [] {
         return unload_view(kBpffs, 4242, {kBpffs + "/link/connect4", kBpffs + "/map/control"});
     }},
};

void shows(const Row& row) {
    const Table table = row.table();
    const std::string command = "$ ballast " + row.verb;
    check_golden("view-" + row.name,
                 command + "\n" + table.text({}) + command + " --json\n" + table.json());
}

} // namespace

int main() {
    return Suite().each(kRows, "shows", shows).run("views");
}
