// SPDX-License-Identifier: Apache-2.0
// A firewall, a ballastd and a listener behind the firewall, and what the daemon finds of the
// connections between them.
#pragma once

#include "tests/e2e/failing.h"
#include "tests/e2e/walled.h"

namespace ballast::test {

constexpr int forget_after_s = 2;
constexpr long idle_ms = 3500;
constexpr int never_forget_s = 100'000;
/// From the write that hangs to the finding, on a machine with little else to do.
constexpr auto found_within = std::chrono::milliseconds(2500);

/// One service beyond the wall; `half_open` are keys of its table.
std::string flow_policy(const std::string& half_open = {});

struct Place {
    Wall& wall;
    Scene scene;
    Listener& listener;
};

/// Under a wall that forgets after forget_after_s.
Place& make_place(const Family& family, const std::string& policy_text = flow_policy());

/// live_until() where sweeps have to see it: one is made every second.
void sweep_until(const Place& place, const std::function<bool()>& holds, std::string_view what,
                 const Others& busy = {});

/// Lets it send enough to show that its path does not lose much.
void converse(const Through& pair);

/// Keepalive after `idle_s` seconds of silence, every second from then on.
Through& kept_alive_after(Place& place, int idle_s, int count);

/// Until it is silent for idle_ms, and the wall has forgotten it.
void let_idle(const Fd& socket, const Others& busy);

/// The reported findings of that kind, of flows whose names contain `flow_part`.
std::vector<std::string> findings(const Place& place, const std::string& kind,
                                  const std::string& flow_part = "");

/// Waits for the finding that names the flow, and notes how long that took.
void await_kind(const Place& place, const std::string& kind, const Fd& socket,
                const Others& busy = {});
/// The same by sweeps.
void sweep_for_kind(const Place& place, const std::string& kind, const Fd& socket,
                    const Others& busy = {});

/// Nothing of that kind was reported.
void check_none(const Place& place, const std::string& kind);

/// The daemon follows no suspected flow (any longer).
bool is_calm(const Place& place);

} // namespace ballast::test
