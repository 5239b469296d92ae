// SPDX-License-Identifier: Apache-2.0
// Order matters: a daemon that still runs would pin again what was removed.
#include <cerrno>

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"
#include "daemon/act/undo_list.h"
#include "daemon/kernel/pinned.h"
#include "daemon/util/fd.h"

namespace ballast::cli {
namespace {

constexpr int kStopTimeoutMs = 10'000;

/// Waits until the process has gone, 10 s at most.
Outcome<void> wait_for_exit(int pid) {
    const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!process && errno == ESRCH)
        return {};
    if (!process)
        return fail_with(exit_failed,
                         Error::system(fmt::format("pidfd_open of ballastd (pid {})", pid), errno));
    pollfd exited{process.get(), POLLIN, 0};
    const int ready = ::poll(&exited, 1, kStopTimeoutMs);
    if (ready > 0)
        return {};
    return fail_with(exit_failed,
                     ready == 0
                         ? Error(fmt::format("ballastd (pid {}) was asked to stop and still runs "
                                             "after 10 s; nothing was removed",
                                             pid))
                               .hint("see its log, or end it with kill -9, then unload again")
                         : Error::system("poll of ballastd's process", errno));
}

/// The pid of the daemon that was stopped, 0 when none answers.
Outcome<int> stop_daemon(const Client& client) {
    const auto document = client.write("POST", "/v1/stop");
    if (!document) {
        const int reason = document.error().error.errno_value();
        if (reason == ENOENT || reason == ECONNREFUSED)
            return 0;
        return tl::unexpected(document.error());
    }
    const int pid = document->at("pid").get<int>();
    return wait_for_exit(pid).map([pid] { return pid; });
}

int run_unload(const Arguments& args) {
    const auto pid = stop_daemon(client_of(args));
    if (!pid)
        return report(pid.error());
    const std::string bpffs = args.text("--bpffs");
    auto list = act::UndoList::open(args.text("--runtime-dir"));
    if (!list)
        return report({exit_failed, list.error()});
    std::vector<std::string> restored;
    for (const auto& undone : list->undo_all())
        restored.push_back(act::text_of(undone));
    const auto removed = kernel::unload(bpffs, args.text("--runtime-dir"));
    if (!removed)
        return report({exit_failed, removed.error()});
    return show(args, unload_view({bpffs, *pid, *removed, restored}));
}

} // namespace

Command unload_verb() {
    return {.name = "unload",
            .summary = "Stop the daemon and leave nothing of Ballast in the kernel",
            .run = run_unload};
}

} // namespace ballast::cli
