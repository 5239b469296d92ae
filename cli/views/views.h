// SPDX-License-Identifier: Apache-2.0
// The output of each verb: pure functions from a document (from the API, or built by the verb) to a
// Table. They take documents that follow docs/openapi.json and throw nlohmann's exceptions on
// others; main() catches those.
#pragma once

#include <string>
#include <vector>

#include "cli/table.h"
#include "daemon/kernel/probe.h"

namespace ballast::cli {

Table status_view(const Json& document);

/// `what` is what was asked for ("10.0.0.5", "orders-db"), empty for everything.
Table health_view(const Json& document, const std::string& what);

Table flows_view(const Json& document);

/// `what` as for health_view().
Table ports_view(const Json& document, const std::string& what);
Table listeners_view(const Json& document, const std::string& what);

Table events_view(const Json& document);
/// One of them as `events --follow` prints it, with its newline.
std::string event_line(const Json& finding);

Table limits_view(const Json& document);
Table explain_view(const Json& document);

/// `what` as for health_view().
Table breakers_view(const Json& document, const std::string& what);
Table breaker_order_view(const Json& document);

/// The result of `discover`, from the document that it builds itself (docs/cli-discover.md).
Table discover_view(const Json& document);

/// The preflight: one row a probe, and whether ballastd would start.
Table check_view(const std::vector<kernel::Probe>& probes);

/// `was` and `armed`: the kill switch before and after.
Table armed_view(const std::string& bpffs, bool was, bool armed);

/// `pid` of the daemon that was stopped, 0 when none ran; `removed` are paths.
/// What `ballast unload` did.
struct Unloaded {
    std::string bpffs;
    int pid = 0;                           ///< of the daemon that was stopped; 0: none ran
    std::vector<std::string> removed = {}; ///< paths
    std::vector<std::string> restored =
        {}; ///< sysctls that no daemon had taken back, one sentence each
};
Table unload_view(const Unloaded& unloaded);

Table override_view(const Json& document);
Table override_removed_view(const Json& document);
Table reload_view(const Json& document);

} // namespace ballast::cli
