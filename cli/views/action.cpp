// SPDX-License-Identifier: Apache-2.0
// Verbs that do something and say so in a line or two.
#include <fmt/format.h>

#include "cli/human.h"
#include "cli/views/views.h"

namespace ballast::cli {

Table armed_view(const std::string& bpffs, bool was, bool armed) {
    Table table(
        {{"schema", 1}, {"kind", "armed"}, {"bpffs", bpffs}, {"armed", armed}, {"was_armed", was}},
        Json::array(), {});
    const std::string_view again = was == armed ? "already " : "";
    table.foot(armed ? fmt::format("{}armed: guards act as the policy says", again)
                     : fmt::format("{}disarmed: everything is counted and nothing refused (ballast "
                                   "arm ends that)",
                                   again));
    return table;
}

Table unload_view(const Unloaded& unloaded) {
    const auto& [bpffs, pid, removed, restored] = unloaded;
    Table table({{"schema", 1},
                 {"kind", "unload"},
                 {"bpffs", bpffs},
                 {"stopped_pid", pid == 0 ? Json(nullptr) : Json(pid)},
                 {"removed", removed},
                 {"restored", restored}},
                Json::array(), {});
    table.foot(pid == 0 ? "no ballastd was running"
                        : fmt::format("ballastd (pid {}) stopped", pid));
    table.foot(removed.empty()
                   ? fmt::format("nothing was pinned at {}", bpffs)
                   : fmt::format("{} removed under {}", counted(removed.size(), "path"), bpffs));
    for (const auto& line : restored)
        table.foot(line);
    return table;
}

Table reload_view(const Json& document) {
    Table table(document, Json::array(), {});
    table.foot(fmt::format("policy generation {} is in force",
                           document.at("policy_generation").get<std::uint64_t>()));
    return table;
}

} // namespace ballast::cli
