// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/scene.h"

namespace ballast::test {

const std::vector<std::string> everything = {"10.77.0.0/24", "10.78.0.0/24", "127.0.0.0/8",
                                             "fd77::/64",    "fd78::/64",    "::1"};

std::string policy(const std::vector<Rule>& rules, const std::string& daemon) {
    std::string text = fmt::format("[daemon]\n{}\n", daemon);
    for (const auto& rule : rules) {
        text += fmt::format("\n[[service]]\nname = \"{}\"\nto = [\"{}\"]\nmode = \"{}\"\n",
                            rule.name, fmt::join(rule.to, "\", \""), rule.mode);
        if (rule.limit)
            text += fmt::format("max_connections = {}\non_limit = \"{}\"\n", *rule.limit,
                                rule.on_limit);
    }
    return text;
}

std::string limit_policy(unsigned limit, const std::string& mode) {
    return policy({{.limit = limit, .mode = mode}});
}

Scene& make_scene(const std::string& policy_text) {
    const auto link = make_link();
    return make<Scene>(link, start_ballastd(policy_text));
}

void enact(Scene& scene, const std::string& policy_text) {
    scene.ballastd.write_policy(policy_text);
    scene.ballastd.json({"reload"});
}

Listener& serve(const Scene& scene, const Family& family) {
    return make<Listener>(scene.link.server, Dest{family.server, 0});
}

void check_refused(const Scene& scene, const Dest& dest, std::string_view what, Where where) {
    check_errno(attempt(scene.link.client, dest).error, ECONNREFUSED, what, where);
}

std::vector<Fd>& open_connections(const Netns& from, const Dest& dest, unsigned count) {
    auto& open = make<std::vector<Fd>>();
    while (open.size() < count) {
        auto made = attempt(from, dest);
        check_errno(made.error, 0, fmt::format("connection {} to {}", open.size(), dest.text()));
        open.push_back(std::move(made.socket));
    }
    return open;
}

void await_in_use(Ballastd& ballastd, const Dest& dest, long wanted, Where where) {
    await_equal([&] { return ballastd.in_use(dest); }, wanted, "in_use of " + dest.text(), where);
}

void check_exact(Scene& scene, const Dest& dest, long wanted, Where where) {
    await_in_use(scene.ballastd, dest, wanted, where);
    await_equal([&] { return long{ss_held(scene.link.client.fd(), dest)}; }, wanted,
                "connections to " + dest.text() + " by ss", where);
    scene.ballastd.sweep();
    check_equal(scene.ballastd.in_use(dest), wanted, "in_use after a sweep", where);
    check_equal(scene.ballastd.value(dest, "drift"), 0, "drift after a sweep", where);
}

void check_no_repairs(Ballastd& ballastd, Where where) {
    ballastd.sweep();
    const auto sweep = ballastd.status().at("sweep");
    check_equal(sweep.at("drift").get<long>(), 0L, "drift found by a sweep", where);
    check_equal(sweep.at("repairs").get<long>(), 0L, "repaired by sweeps", where);
    check_equal(sweep.at("failures").get<long>(), 0L, "sweeps that failed", where);
}

long fail_open(Ballastd& ballastd, const std::string& reason) {
    return ballastd.status().at("fail_open").at(reason).get<long>();
}

} // namespace ballast::test
