// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/run.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <utility>

#include <fmt/format.h>
#include <sys/resource.h>

#include "daemon/app/daemon.h"
#include "daemon/app/options.h"
#include "daemon/config/policy_files.h"
#include "daemon/policy/doubts.h"
#include "daemon/util/log.h"

namespace ballast::app {
namespace {

void print_warnings(const PolicyReport& report) {
    const auto from = policy::find_unmatched_from(report.from);
    const auto names = policy::find_unresolved(report.names);
    const char* header = "warnings:\n";
    for (const auto* list : {&report.warnings, &from, &names})
        if (!list->empty())
            fmt::print(stderr, "{}{}\n", std::exchange(header, ""), list->text());
}

int check_config(const std::string& file) {
    const auto report = check_policy(file);
    print_warnings(report);
    const auto policy = report.result();
    if (!policy) {
        fmt::print(stderr, "{}\n", policy.error().text());
        return 1;
    }
    fmt::print("{}: {} services\n", file, policy->services.size());
    return 0;
}

/// systemd's soft limit is 1,024; a session of socket diagnosis for each namespace with a suspect
/// is kept open, and there may be hundreds.
void raise_file_limit() {
    constexpr rlim_t enough = 65'536;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= enough)
        return;
    limit.rlim_cur = std::min(limit.rlim_max, enough);
    if (::setrlimit(RLIMIT_NOFILE, &limit))
        log::warn("{}", Error::system("raise the limit of open files", errno).text());
}

int serve(const Options& options) {
    start_log(options.log_level);
    raise_file_limit();
    auto daemon = Daemon::start(options);
    if (!daemon) {
        log::critical("cannot start: {}", daemon.error().text());
        return 1;
    }
    const auto code = (*daemon)->run();
    if (!code) {
        log::critical("{}", code.error().text());
        return 1;
    }
    return *code;
}

} // namespace

int run(int argc, char** argv) {
    try {
        return run_program(program([](const Options& options) {
                               return options.check ? check_config(options.config) : serve(options);
                           }),
                           argc, argv);
    } catch (const std::exception& error) {
        fmt::print(stderr, "ballastd: {}\n", error.what());
        return 1;
    }
}

} // namespace ballast::app
