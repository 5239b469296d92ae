// SPDX-License-Identifier: Apache-2.0
// What every guard is. A guard watches one way in which connections fail; it speaks through
// findings::Findings and acts through govern::Governor, through nothing else. Each is a folder here
// and a row in table.cpp.
//
// All calls to a guard come from its own thread, one at a time, but for report(): it comes from the
// main thread.
#pragma once

#include <filesystem>
#include <span>

#include "daemon/model/half_open.h"
#include "daemon/model/policy_in_force.h"
#include "daemon/model/snapshot.h"
#include "daemon/model/swept_flow.h"
#include "daemon/util/guarded.h"

namespace ballast {
class EventLoop;
class LoopThread;
} // namespace ballast
namespace ballast::findings {
class Findings;
}
namespace ballast::govern {
class Governor;
}
namespace ballast::kernel {
class Instance;
}
namespace ballast::policy {
class PolicyPublisher;
}

namespace ballast::guards {

class GuardSet;

/// Where a guard runs.
enum class Thread {
    main,     ///< which keeps heartbeat, policy and API: it takes no socket's lock
    observer, ///< which visits sockets, and may be held by one
};

/// What a guard may use; all of it outlives the guard.
struct Surroundings {
    EventLoop& loop;    ///< of the guard's thread
    LoopThread& writer; ///< which alone waits for the file system of the store
    kernel::Instance& instance;
    policy::PolicyPublisher& policy;
    Guarded<govern::Governor>& governor;
    findings::Findings& findings;
    GuardSet& neighbours; ///< the guards of its thread
    const std::filesystem::path& store_file;
    const std::string& runtime_dir; ///< for what a next daemon has to find, until the next boot
};

/// What a sweep found, sockets apart.
struct SweepSummary {
    std::span<const PeerRow> peers;
    KeepaliveStatus keepalive;
};

class Guard {
public:
    Guard() = default;
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    virtual ~Guard() = default;

    /// Another policy is in force; called once before anything else, too.
    virtual void changed(const PolicyInForce& /*now*/) {}

    /// Observer thread: sockets that the sweep under way has met, in batches, since a million of
    /// them are 130 MB.
    virtual void observe(std::span<const SweptFlow> /*flows*/) {}
    /// Observer thread: that sweep has ended.
    virtual void end_sweep(const SweepSummary& /*summary*/) {}
    /// Observer thread: what a neighbour found out about a flow.
    virtual void on_verdict(const HalfOpenVerdict& /*verdict*/) {}

    /// Main thread: once a second.
    virtual void wake() {}

    /// Fills in the guard's own part. From the main thread.
    virtual void report(DaemonStatus& /*status*/) const {}

    /// The daemon ends in good order: undoes what holds only while somebody looks after it, and
    /// saves what was learned.
    virtual void stop() {}
};

} // namespace ballast::guards
