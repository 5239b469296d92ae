// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/start_up.h"

#include <system_error>

#include <sys/utsname.h>

#include "daemon/kernel/probe.h"

namespace ballast::app {

std::string kernel_release() {
    utsname name{};
    ::uname(&name);
    return name.release;
}

Result<void> make_directory(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error)
        return fail(Error::system(fmt::format("make directory {}", path), error.value()));
    return {};
}

std::filesystem::path store_file(const Options& options) {
    return std::filesystem::path(options.state_dir) / "ballast.db";
}

Error why_not_loaded(const Error& load_error, const std::string& cgroup) {
    std::string missing;
    for (const auto& probe : kernel::probe_features(cgroup))
        if (probe.required && probe.answer != kernel::Answer::yes)
            missing +=
                fmt::format("{}{} ({})", missing.empty() ? "" : "; ", probe.feature, probe.detail);
    if (missing.empty())
        return load_error;
    return Error(fmt::format("kernel {} lacks: {}", kernel_release(), missing))
        .hint("`ballast check` shows all; Ballast needs Linux 6.1 or newer");
}

} // namespace ballast::app
