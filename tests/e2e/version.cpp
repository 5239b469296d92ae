// SPDX-License-Identifier: Apache-2.0
// Promise: a daemon or CLI refuses pins of another ABI version by name, and `ballast unload` gets
// rid of them.
#include "tests/e2e/kernel_objects.h"
#include "tests/e2e/scene.h"

#include <filesystem>

#include "bpf/abi.h"
#include "tests/harness/group.h"

namespace test_version {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr unsigned other_version = 4711;
static_assert(other_version != BALLAST_ABI_VERSION);

/// Writes the first word of the pinned control map, as another version would have.
void set_abi_version(const Ballastd& ballastd, unsigned version) {
    const auto pin = ballastd.bpffs() + "/control";
    const auto dump =
        Json::parse(run_ok({.argv = {"bpftool", "-j", "map", "dump", "pinned", pin}}));
    auto bytes = dump.at(0).at("value");
    for (std::size_t i = 0; i < 4; ++i)
        bytes[i] = fmt::format("{:#04x}", (version >> (8 * i)) & 0xff);
    std::vector<std::string> words = {"bpftool", "map", "update", "pinned", pin,    "key",
                                      "0",       "0",   "0",      "0",      "value"};
    for (const auto& byte : bytes)
        words.push_back(byte.get<std::string>());
    run_ok({.argv = words});
}

void names_both(const std::string& text) {
    check(text.find(std::to_string(other_version)) != std::string::npos,
          "the version found is named in: " + text);
    check(text.find(fmt::format(" {}", BALLAST_ABI_VERSION)) != std::string::npos,
          "the own version is named in: " + text);
}

void refused_by_name() {
    auto& ballastd = start_ballastd(limit_policy(1));
    const auto own = objects_of(ballastd);
    ballastd.crash();
    const auto log_before = ballastd.log().size();
    set_abi_version(ballastd, other_version);
    check(ballastd.start_to_fail() != 0, "ballastd refuses to start");
    names_both(ballastd.log().substr(log_before));
    check(objects_of(ballastd) == own, "nothing of the other version was touched");
    for (const char* verb : {"disarm", "arm"}) {
        const auto outcome = ballastd.cli({verb});
        check(outcome.status != 0, fmt::format("{} refuses", verb));
        names_both(outcome.err);
    }
    ballastd.json({"unload"});
    await_gone(own);
    ballastd.start();
}

void accepted_again() {
    auto& ballastd = start_ballastd(limit_policy(1));
    ballastd.crash();
    set_abi_version(ballastd, other_version);
    check(ballastd.start_to_fail() != 0, "ballastd refuses to start");
    set_abi_version(ballastd, BALLAST_ABI_VERSION);
    ballastd.start();
    check(ballastd.status().at("adopted_pins").get<bool>(), "pins of its own version are adopted");
}

} // namespace

TEST_GROUP(version) {
    return Suite()
        .add("another ABI version is refused by name", refused_by_name)
        .add("the same version is adopted", accepted_again)
        .run("version");
}

} // namespace test_version
