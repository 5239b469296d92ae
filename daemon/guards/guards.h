// SPDX-License-Identifier: Apache-2.0
// All guards of a daemon, and the governor that everything that acts on the host asks.
#pragma once

#include <memory>

#include "daemon/govern/governor.h"
#include "daemon/guards/guard_set.h"
#include "daemon/policy/policy_publisher.h"
#include "daemon/util/error.h"

namespace ballast::guards {

class Guards final : public policy::PolicyReader {
public:
    /// All of it must outlive the guards; the writer must have ended before they are destroyed.
    struct Parts {
        EventLoop& main;
        EventLoop& observer; ///< of a thread that does not run yet
        LoopThread& writer;
        kernel::Instance& instance;
        policy::PolicyPublisher& policy;
        findings::Findings& findings;
        std::filesystem::path store_file; ///< which Store::open() has opened
        std::string runtime_dir;
    };
    /// Makes each guard of the table. Fails as a whole, naming the guard.
    static Result<std::unique_ptr<Guards>> make(Parts parts);

    /// For the guards of the main thread; the observer notifies its own.
    void changed(const PolicyInForce& now) override { main_.changed(now); }
    /// Once a second.
    void wake() { main_.wake(); }
    /// Of the main thread; the observer ends with its own.
    void stop() { main_.stop(); }

    /// Those of the observer thread, for it.
    [[nodiscard]] GuardSet& observing() { return observing_; }

    void report(DaemonStatus& status) const;

    /// The guard of that class, which the table has.
    template <class G>
    [[nodiscard]] G& get() const {
        auto* found = main_.find<G>();
        return found ? *found : *observing_.find<G>();
    }

private:
    explicit Guards(Parts parts);

    Parts parts_;
    Guarded<govern::Governor> governor_;
    GuardSet main_;
    GuardSet observing_;
};

} // namespace ballast::guards
