// SPDX-License-Identifier: Apache-2.0
// ballastd itself: loads the programs, starts the parts, beats once a second, and leaves everything
// pinned however it exits.
#pragma once

#include <memory>
#include <string>

#include "daemon/app/api_service.h"
#include "daemon/app/hook_keeper.h"
#include "daemon/app/main_loop.h"
#include "daemon/app/options.h"
#include "daemon/findings/findings.h"
#include "daemon/guards/guards.h"
#include "daemon/kernel/instance.h"
#include "daemon/observe/observer.h"
#include "daemon/policy/policy_control.h"

namespace ballast::app {

class Daemon final : public policy::PolicyReader {
public:
    /// Does everything that can fail before attaching anything, so that a daemon that cannot start
    /// changes nothing on the host.
    static Result<std::unique_ptr<Daemon>> start(const Options& options);

    /// Serves until SIGTERM, SIGINT or `ballast unload`; returns the exit code. Does not return if
    /// a held thread could not be ended: the process exits from here.
    Result<int> run();

    void changed(const PolicyInForce& now) override;

private:
    Daemon(MainLoop main, std::unique_ptr<kernel::Instance> instance, std::string state_dir);
    Result<void> prepare(const Options& options, Store store);
    Result<void> attach();
    Result<void> serve(const Options& options);
    Result<void> sweep_at_start();
    void on_second();
    void recycle();
    bool stop_threads();

    MainLoop main_;
    std::unique_ptr<kernel::Instance> instance_;
    findings::Findings findings_;
    HookKeeper hooks_;
    std::unique_ptr<policy::PolicyControl> policy_;
    std::unique_ptr<observe::Observer> observer_;
    std::unique_ptr<guards::Guards> guards_;
    std::unique_ptr<ApiService> api_;
    std::string state_dir_;
    unsigned seconds_ = 0;
};

} // namespace ballast::app
