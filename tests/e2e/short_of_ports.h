// SPDX-License-Identifier: Apache-2.0
// A client with few local ports, so that seconds do what takes minutes elsewhere.
#pragma once

#include <string>
#include <vector>

#include "tests/e2e/scene.h"

namespace ballast::test {

inline constexpr int first_port = 32768;

/// A scene whose client has `size` local ports, from first_port on.
Scene& crowded_scene(const std::string& policy_text, int size);

inline constexpr int few_ports = 200;

/// The same with few_ports, under a policy that only observes.
Scene& calm_scene();

/// One service, of a destination of the test's own: each daemon here sees the namespaces of all.
/// `rungs` are the words of its relief.
std::string relief_of(const std::string& name, const Dest& dest, const std::string& rungs,
                      const std::string& mode = "enforce");

/// The socket's own, host byte order.
int port_of(const Fd& socket);

/// What `ballast ports` says of a relief for the destination; null: it is not in force.
Json relief_row(Scene& scene, const std::string& relief, const Dest& dest);

/// net.ipv4.ip_local_port_range there, "32768 33367".
std::string port_range(const Netns& where);

/// Takes what comes and closes it once the client has.
void answer(Listener& listener);
void answer(const std::vector<Listener*>& listeners);

enum class AtTheWall { ends, goes_on };

/// Opens `per_second` connections to each in turn and closes them at once. Where one fails, the
/// process ends with its errno, or goes on.
Process& churn(const Netns& from, const std::vector<Dest>& dests, int per_second,
               AtTheWall at_the_wall = AtTheWall::ends);

/// The rows of `ballast ports`; those of other tests too.
Json port_rows(Scene& scene);

/// The first of a destination; null: there is none.
Json port_row(Scene& scene, const Dest& dest);

/// Findings of the destination whose reason begins with `reason`, as the log has them.
std::vector<std::string> findings_of(Scene& scene, const std::string& reason, const Dest& dest);

} // namespace ballast::test
