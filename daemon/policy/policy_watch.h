// SPDX-License-Identifier: Apache-2.0
// Notices that the policy file or its drop-ins changed, however an editor or a configuration tool
// replaces them: it watches the directories, not the files.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "daemon/util/error.h"
#include "daemon/util/event_loop.h"
#include "daemon/util/fd.h"

namespace ballast::policy {

class PolicyWatch {
public:
    /// Calls `changed` once files have been quiet for a moment. A directory that does not exist is
    /// not watched until watch() is called again and finds it.
    static Result<std::unique_ptr<PolicyWatch>>
    start(EventLoop& loop, std::filesystem::path policy_file, std::function<void()> changed);

    /// Call it before each reload: forgets changes up to now, which the reload will read, and
    /// watches directories that have appeared since.
    void watch();

private:
    explicit PolicyWatch(std::filesystem::path policy_file)
        : policy_file_(std::move(policy_file)) {}
    bool read_events();
    void on_events();

    std::filesystem::path policy_file_;
    Fd inotify_;
    EventSource readable_;
    EventSource settled_;
};

} // namespace ballast::policy
