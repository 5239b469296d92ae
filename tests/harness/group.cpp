// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/group.h"

#include <cstdio>
#include <cstring>

namespace ballast::test {
namespace {

// Initialised before any group is registered: it needs no code.
Group* first = nullptr;

} // namespace

Group::Group(const char* group_name, Run run_group)
    : name(group_name), run(run_group), next(first) {
    first = this;
}

namespace {

const Group* find(const char* name) {
    for (const Group* group = first; group != nullptr; group = group->next)
        if (std::strcmp(group->name, name) == 0)
            return group;
    return nullptr;
}

int list(std::FILE* to) {
    for (const Group* group = first; group != nullptr; group = group->next)
        std::fprintf(to, "%s\n", group->name);
    return 0;
}

} // namespace

} // namespace ballast::test

int main(int argc, char** argv) {
    constexpr int usage = 2;
    using namespace ballast::test;
    if (argc < 2)
        return list(stdout);
    const Group* group = find(argv[1]);
    if (group != nullptr)
        return group->run(argc > 2 ? argv[2] : "");
    std::fprintf(stderr, "%s: there is no group '%s' here. There are:\n", argv[0], argv[1]);
    list(stderr);
    return usage;
}
