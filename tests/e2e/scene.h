// SPDX-License-Identifier: Apache-2.0
// The setup of most end-to-end tests: two namespaces and a ballastd that governs their link.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/harness/ballastd.h"
#include "tests/harness/check.h"
#include "tests/harness/netns.h"
#include "tests/harness/registry.h"
#include "tests/harness/sockets.h"
#include "tests/harness/ss.h"
#include "tests/harness/suite.h"

namespace ballast::test {

/// Every address of a Link, and the loopback addresses that tests use.
extern const std::vector<std::string> everything;

/// One [[service]] of a policy; the words are those of the configuration.
struct Rule {
    std::vector<std::string> to = everything;
    std::optional<unsigned> limit = {};
    std::string mode = "enforce";
    std::string on_limit = "refused";
    std::string name = "test";
};

/// A policy file: `daemon` are lines of its [daemon] table.
std::string policy(const std::vector<Rule>& rules,
                   const std::string& daemon = "sweep_interval = \"1s\"");

/// A limit on every destination.
std::string limit_policy(unsigned limit, const std::string& mode = "enforce");

struct Scene {
    Link link;
    Ballastd& ballastd;
};

/// The two namespaces and a running ballastd.
Scene& make_scene(const std::string& policy_text);

/// Writes the policy and has it reloaded.
void enact(Scene& scene, const std::string& policy_text);

/// A listener of the scene's server on a port that the kernel chooses: a destination of its own.
Listener& serve(const Scene& scene, const Family& family);

/// The next connection is refused by Ballast.
void check_refused(const Scene& scene, const Dest& dest, std::string_view what,
                   Where where = Where::current());

/// Opens `count` connections, each of which has to succeed.
std::vector<Fd>& open_connections(const Netns& from, const Dest& dest, unsigned count);

/// Waits until `in_use` is what it should be.
void await_in_use(Ballastd& ballastd, const Dest& dest, long wanted,
                  Where where = Where::current());

/// Ballast's count, its drift after a full sweep, and what `ss` sees agree.
void check_exact(Scene& scene, const Dest& dest, long wanted, Where where = Where::current());

/// No sweep had to correct anything: every count was right by itself.
void check_no_repairs(Ballastd& ballastd, Where where = Where::current());

/// A counter of "fail_open" in `ballast status`.
long fail_open(Ballastd& ballastd, const std::string& reason);

} // namespace ballast::test
