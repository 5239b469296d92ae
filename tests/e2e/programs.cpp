// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/programs.h"

namespace ballast::test {

std::string service(std::string_view name, std::string_view lines) {
    return fmt::format("\n[[service]]\nname = \"{}\"\nto = [\"{}\"]\nmode = \"enforce\"\n{}\n",
                       name, fmt::join(everything, "\", \""), lines);
}

std::string policy_of(const std::vector<std::string>& services) {
    return policy({}) + fmt::format("{}", fmt::join(services, ""));
}

Subgroup& unit(const Scene& scene, const std::string& name) {
    return make<Subgroup>(scene.ballastd.cgroup(), name);
}

Crowd& program_in(const Scene& scene, const Subgroup& cgroup) {
    return make<Crowd>(scene.link.client, &cgroup);
}

Crowd& program(const Scene& scene, const std::string& unit_name) {
    return program_in(scene, unit(scene, unit_name));
}

CrowdPlan attempts(const Dest& dest, std::uint32_t count, int threads) {
    return {.dest = dest, .threads = threads, .attempts = count, .request = false};
}

CrowdPlan churn(const Dest& dest, std::uint32_t connections, int threads) {
    auto plan = attempts(dest, connections, threads);
    plan.churn = true;
    plan.abort = true;
    return plan;
}

std::uint32_t admitted(Crowd& program, const CrowdPlan& plan, Where where) {
    const auto before = program.counts().opened.load();
    program.race(plan);
    check_no_surprises(program, where);
    return program.counts().opened.load() - before;
}

void check_no_surprises(const Crowd& program, Where where) {
    const auto& counts = program.counts();
    check_equal(counts.surprises.load(), 0U,
                "outcomes other than success and ECONNREFUSED, such as " +
                    errno_text(counts.surprise.load()),
                where);
}

long in_use_of(const Scene& scene, const Dest& dest, const std::string& service_name) {
    const auto row = scene.ballastd.row(dest, service_name);
    return row.is_null() ? 0 : row.at("in_use").get<long>();
}

} // namespace ballast::test
