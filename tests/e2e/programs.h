// SPDX-License-Identifier: Apache-2.0
// Local programs that compete for destinations, each in a cgroup of its own below ballastd's, and
// the policies that distinguish them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/scene.h"
#include "tests/harness/cgroup.h"
#include "tests/harness/crowd.h"

namespace ballast::test {

/// One enforced [[service]] for every destination; `lines` are further ones of its table.
std::string service(std::string_view name, std::string_view lines);

/// A policy file of these services.
std::string policy_of(const std::vector<std::string>& services);

/// A new cgroup below ballastd's.
Subgroup& unit(const Scene& scene, const std::string& name);

/// A program in that cgroup and the client's namespace.
Crowd& program_in(const Scene& scene, const Subgroup& cgroup);

/// Both in one.
Crowd& program(const Scene& scene, const std::string& unit_name);

/// `count` attempts by `threads` threads, whose connections are held without a request.
CrowdPlan attempts(const Dest& dest, std::uint32_t count, int threads = 16);

/// Connections opened and closed in a race, each closed with RST.
CrowdPlan churn(const Dest& dest, std::uint32_t connections, int threads);

/// Makes the attempts and returns how many connections were admitted; each of the others has to be
/// refused.
std::uint32_t admitted(Crowd& program, const CrowdPlan& plan, Where where = Where::current());

/// No attempt of the program ended but in success or a refusal.
void check_no_surprises(const Crowd& program, Where where = Where::current());

/// in_use of one service at a destination; 0 where it has none.
long in_use_of(const Scene& scene, const Dest& dest, const std::string& service_name);

} // namespace ballast::test
