// SPDX-License-Identifier: Apache-2.0
// Destinations that fail on purpose, and what is seen of their breakers.
#pragma once

#include <string>
#include <vector>

#include "tests/e2e/scene.h"

namespace ballast::test {

/// A policy's breaker settings: `breaker` are keys of [service.breaker], `daemon` lines of
/// [daemon].
struct BreakerKnobs {
    std::string mode = "enforce";
    std::string breaker = "refused = 3, open_for = \"1s\", open_max = \"2s\", ramp = 0";
    std::string daemon = "sweep_interval = \"1s\"";
};

/// One service for every destination. The errno EHOSTUNREACH distinguishes refusals by its breakers
/// from refusals by the peer. More tables may follow the text.
std::string breaker_policy(const BreakerKnobs& knobs);

/// A destination and its listener's port, with the listener gone: it refuses.
struct Peer {
    Listener& listener;
    Dest dest;
};
Peer dead_peer(const Scene& scene, const Family& family);

/// Of a connect() from the scene's client; 0 when it succeeds.
int error_of(const Scene& scene, const Dest& dest);

/// Makes `times` connects that the peer refuses.
void fail_times(const Scene& scene, const Dest& dest, unsigned times);

/// Destinations that answer, each with a connection behind it.
std::vector<Dest> many_peers(const Scene& scene, unsigned count);

/// Connects that get no answer, given up after the second SYN: two to each of these destinations.
void let_time_out(const Scene& scene, const std::vector<Dest>& dests);

/// How many of these a breaker refuses.
unsigned count_open(const Scene& scene, const std::vector<Dest>& dests);

/// The daemon's log lines that have all of these parts.
std::vector<std::string> log_lines(const Scene& scene, const std::vector<std::string>& parts);

void await_finding(const Scene& scene, const std::string& reason, const Dest& dest);

} // namespace ballast::test
