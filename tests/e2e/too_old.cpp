// SPDX-License-Identifier: Apache-2.0
// Promise, on a kernel that is too old: `ballast check` names what is missing, ballastd refuses
// with the same words, and neither leaves anything behind. Only run where that is expected.
#include "tests/e2e/kernel_objects.h"
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <filesystem>

namespace test_too_old {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr int missing_feature = 5;

std::vector<std::string> lacking(Ballastd& ballastd) {
    const auto outcome = ballastd.cli({"check", "--json"});
    check_equal(outcome.status, missing_feature, "exit status of ballast check");
    const auto document = Json::parse(outcome.out, nullptr, false);
    check(document.is_object(), "ballast check --json prints JSON: " + outcome.out);
    check(!document.at("ready").get<bool>(), "it says that this kernel will not do");
    std::vector<std::string> features;
    for (const auto& probe : document.at("probes")) {
        if (probe.at("required").get<bool>() && probe.at("answer") == "no")
            features.push_back(probe.at("feature"));
    }
    return features;
}

void check_names_what_is_missing() {
    auto& ballastd = make<Ballastd>(limit_policy(1));
    const auto features = lacking(ballastd);
    check(!features.empty(), "some required feature is missing");
    const auto text = ballastd.cli({"check"});
    check_equal(text.status, missing_feature, "exit status of ballast check for people");
    for (const auto& feature : features)
        check(text.out.find(feature) != std::string::npos, "it names " + feature);
    note(text.out);
}

void daemon_refuses() {
    auto& ballastd = make<Ballastd>(limit_policy(1));
    const auto features = lacking(ballastd);
    check(ballastd.start_to_fail() != 0, "ballastd refuses to start");
    for (const auto& feature : features)
        check(ballastd.log().find(feature) != std::string::npos, "its log names " + feature);
    note(ballastd.log());
}

void nothing_is_left() {
    const auto before = kernel_objects();
    auto& ballastd = make<Ballastd>(limit_policy(1));
    lacking(ballastd);
    check(ballastd.start_to_fail() != 0, "ballastd refuses to start");
    await_no_more_than(before);
    check(!std::filesystem::exists(ballastd.bpffs()), "no directory of pins");
    check(!std::filesystem::exists(ballastd.runtime_dir() + "/query.sock"), "no socket");
    ballastd.json({"unload"});
}

} // namespace

TEST_GROUP(too_old) {
    return Suite()
        .add("ballast check names what is missing", check_names_what_is_missing)
        .add("ballastd refuses with the same words", daemon_refuses)
        .add("nothing is left behind", nothing_is_left)
        .run("too_old");
}

} // namespace test_too_old
