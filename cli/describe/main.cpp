// SPDX-License-Identifier: Apache-2.0
// ballast-describe man|bash|zsh|fish ballast|ballastd: writes a file that is installed to standard
// output. The build runs it; it is not installed itself.
#include <cstdio>
#include <string_view>

#include <fmt/format.h>

#include "cli/describe/describe.h"
#include "cli/verbs/verbs.h"
#include "daemon/app/options.h"
#include "daemon/model/counters.h"

namespace {

using namespace ballast;

describe::Page page_of_ballast() {
    return {
        .section = 1,
        .version = BALLAST_VERSION,
        .description =
            "Talks to a running ballastd(8) over its Unix sockets. check, arm, disarm, discover "
            "and the second half of unload do without it.\n"
            "Options stand before or after the verb. Lists say how much they left out.\n",
        .files = {"/run/ballast/query.sock what verbs that read ask; group ballast",
                  "/run/ballast/control.sock what verbs that change something ask; root",
                  "/sys/fs/bpf/ballast pinned programs and maps"},
        .see_also = {"\\fBballastd\\fR(8)", "\\fBss\\fR(8)"}};
}

/// "fail_open.disarmed connects not refused: the kill switch is on".
std::vector<std::string> counter_lines() {
    std::vector<std::string> lines;
    for (const CounterRow& row : kCounters) {
        const auto& group = kCounterGroups.at(static_cast<std::size_t>(row.group));
        lines.push_back(fmt::format("{}.{} {}", group.name, row.name, row.help));
    }
    return lines;
}

describe::Page page_of_ballastd() {
    return {
        .section = 8,
        .version = BALLAST_VERSION,
        .description =
            "Loads Ballast's programs into the kernel, puts the policy in force and answers "
            "ballast(1). What it pinned stays in force for daemon_grace when it ends, and fails "
            "open then.\n"
            "SIGHUP reads the policy again, SIGTERM ends it; ballast unload leaves nothing.\n",
        .files = {"/etc/ballast/policy.toml the policy",
                  "/etc/ballast/policy.d/*.toml its drop-ins",
                  "/run/ballast the sockets of the API", "/var/lib/ballast what outlives a restart",
                  "/sys/fs/bpf/ballast pinned programs and maps"},
        .counters = counter_lines(),
        .see_also = {"\\fBballast\\fR(1)"}};
}

/// "" for a form that there is not.
std::string described(std::string_view form, const Program& program, const describe::Page& page) {
    if (form == "man")
        return describe::man_page(program, page);
    if (form == "bash")
        return describe::bash_completion(program);
    if (form == "zsh")
        return describe::zsh_completion(program);
    return form == "fish" ? describe::fish_completion(program) : "";
}

} // namespace

int main(int argc, char** argv) {
    constexpr int usage = 2;
    const std::string_view form = argc == 3 ? argv[1] : "";
    const bool is_daemon = argc == 3 && std::string_view(argv[2]) == "ballastd";
    const std::string text = is_daemon ? described(form, app::program({}), page_of_ballastd())
                                       : described(form, cli::program(), page_of_ballast());
    if (text.empty()) {
        fmt::print(stderr, "usage: ballast-describe man|bash|zsh|fish ballast|ballastd\n");
        return usage;
    }
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}
