// SPDX-License-Identifier: Apache-2.0
// Fixed data for the API and the CLI: hosts as they could be at 5 a.m.
#pragma once

#include <string_view>
#include <vector>

#include "daemon/model/finding.h"
#include "daemon/model/override.h"
#include "daemon/model/snapshot.h"

namespace ballast::test {

enum class Scene {
    night,    ///< every state and every kind of trouble
    calm,     ///< all well
    empty,    ///< a host without policy and connections
    disarmed, ///< calm with the kill switch on
    dry_run,  ///< calm with the governor in a dry run
    broken,   ///< calm, but whatever can fail does
    sweeping, ///< calm; a sweep ends once the status was asked for three times
};

/// 2024-05-01T05:00:00Z, the clock of every scene.
WallTime scene_now();

DaemonStatus scene_status(Scene scene);
std::vector<BreakerRow> scene_breakers(Scene scene);
std::vector<KeptFinding> scene_findings(Scene scene); ///< by id
std::vector<DestinationRow> scene_destinations(Scene scene);
std::vector<PeerRow> scene_peers(Scene scene);
std::vector<FlowRow> scene_flows(Scene scene);
PortTable scene_ports(Scene scene);
PortsStatus scene_ports_status(Scene scene);
ListenerTable scene_listeners(Scene scene);
ListenersStatus scene_listeners_status(Scene scene);
/// Rules for listeners in the night, one of their devices without its program.
ShedTable scene_shed(Scene scene);
std::vector<Service> scene_services(Scene scene);
std::vector<Override> scene_overrides(Scene scene);

} // namespace ballast::test
