// SPDX-License-Identifier: Apache-2.0
// Promise: however many network namespaces a host has, each is looked at, with few files open.
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <filesystem>
#include <iterator>

#include <sys/resource.h>

namespace test_many_namespaces {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr int spaces = 60;

std::size_t open_files(pid_t pid) {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid)), {}));
}

/// Room for a third of them.
void more_than_files_may_be_open(const Family& family) {
    auto& scene = make_scene(limit_policy(5));
    const auto dest = serve(scene, family).dest();
    open_connections(scene.link.client, dest, 2);
    for (int i = 0; i < spaces; ++i)
        make<Netns>();
    const auto pid = scene.ballastd.status().at("pid").get<pid_t>();
    const rlimit limit{open_files(pid) + spaces / 3, open_files(pid) + spaces / 3};
    need(::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr) == 0, "prlimit");
    scene.ballastd.sweep();
    const Json sweep = scene.ballastd.status().at("sweep");
    check(sweep.at("namespaces").get<int>() >= spaces, "each was looked at: " + sweep.dump());
    check_equal(sweep.at("namespaces_missed").get<int>(), 0, "namespaces that were missed");
    check_exact(scene, dest, 2);
}

} // namespace

TEST_GROUP(many_namespaces) {
    return Suite()
        .each(families, "more than files may be open", more_than_files_may_be_open)
        .run("many_namespaces");
}

} // namespace test_many_namespaces
