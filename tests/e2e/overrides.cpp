// SPDX-License-Identifier: Apache-2.0
// Promise: a limit set by the CLI is in force at once, outlives restarts and crashes, and is gone
// when it is unset.
#include "tests/e2e/scene.h"

using namespace ballast;
using namespace ballast::test;

namespace {

struct Served {
    Scene& scene;
    Dest dest;
    std::vector<Fd>& open;

    [[nodiscard]] Ballastd& ballastd() const { return scene.ballastd; }

    /// Exactly `count` in all can be open; leaves them open.
    void check_limit(unsigned count, Where where = Where::current()) const {
        while (open.size() < count) {
            auto made = attempt(scene.link.client, dest);
            check_errno(made.error, 0, fmt::format("connection {}", open.size() + 1), where);
            open.push_back(std::move(made.socket));
        }
        check_errno(attempt(scene.link.client, dest).error, ECONNREFUSED,
                    fmt::format("connection {}", count + 1), where);
    }
};

Served serve(const Family& family) {
    auto& scene = make_scene(limit_policy(1));
    auto& server = make<Listener>(scene.link.server, Dest{family.server, 5432});
    return {scene, server.dest(), make<std::vector<Fd>>()};
}

void set_and_unset(const Served& served, const std::string& target) {
    served.check_limit(1);
    served.ballastd().json({"limit", "set", target, "--max", "2", "--mode", "enforce"});
    served.check_limit(2);
    served.ballastd().stop();
    served.ballastd().start();
    served.ballastd().json({"limit", "set", target, "--max", "3", "--mode", "enforce"});
    served.ballastd().crash();
    served.ballastd().start();
    served.check_limit(3);
    const auto listed = served.ballastd().json({"limit", "list"});
    check_equal(listed.at("overrides").at(0).at("target").get<std::string>(), target,
                "the override that is listed");
    served.ballastd().json({"limit", "unset", target});
    served.open.pop_back();
    await_in_use(served.ballastd(), served.dest, 2);
    check_errno(attempt(served.scene.link.client, served.dest).error, ECONNREFUSED,
                "over the file's limit");
    served.open.clear();
    await_in_use(served.ballastd(), served.dest, 0);
    served.check_limit(1);
    check_no_repairs(served.ballastd());
}

void by_service(const Family& family) {
    set_and_unset(serve(family), "test");
}

void by_endpoint(const Family& family) {
    const auto served = serve(family);
    set_and_unset(served, served.dest.text());
}

void endpoint_leaves_others_alone(const Family& family) {
    const auto served = serve(family);
    served.ballastd().json({"limit", "set", served.dest.text(), "--max", "3", "--mode", "enforce"});
    auto& other = make<Listener>(served.scene.link.server, Dest{family.server, 6000});
    open_connections(served.scene.link.client, other.dest(), 1);
    check_errno(attempt(served.scene.link.client, other.dest()).error, ECONNREFUSED,
                "second to another port");
    served.check_limit(3);
}

void survives_a_reload(const Family& family) {
    const auto served = serve(family);
    served.ballastd().json({"limit", "set", "test", "--max", "2"});
    const long before = served.ballastd().generation();
    served.ballastd().write_policy(limit_policy(5));
    served.ballastd().await_policy(before);
    served.check_limit(2);
}

void unset_of_nothing() {
    const auto served = serve(families.front());
    constexpr int not_found = 4;
    const auto outcome = served.ballastd().cli({"limit", "unset", "10.77.0.2:9"});
    check_equal(outcome.status, not_found, "exit status of unsetting what was never set");
    check(outcome.err.find("10.77.0.2:9") != std::string::npos, "it names what: " + outcome.err);
}

} // namespace

int main() {
    return Suite()
        .each(families, "set by service", by_service)
        .each(families, "set by endpoint", by_endpoint)
        .each(families, "an endpoint's leaves other destinations alone",
              endpoint_leaves_others_alone)
        .each(families, "survives a reload", survives_a_reload)
        .add("unset of what was never set", unset_of_nothing)
        .run("overrides");
}
