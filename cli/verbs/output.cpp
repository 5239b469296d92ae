// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <cstdlib>
#include <string>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/human.h"
#include "cli/verbs/shared.h"

namespace ballast::cli {
namespace {

/// https://no-color.org: set and not empty means no colour.
bool colour_refused() {
    const char* set = std::getenv("NO_COLOR");
    return set != nullptr && *set != '\0';
}

TextStyle style_of_stdout() {
    if (::isatty(STDOUT_FILENO) == 0)
        return {};
    winsize size{};
    const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    return {!colour_refused(), known ? size.ws_col : std::size_t{0}};
}

} // namespace

int show(const Arguments& args, const Table& table) {
    const std::string text = args.has("--json") ? table.json() : table.text(style_of_stdout());
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    if (!written || std::fflush(stdout) != 0)
        return report({exit_failed, Error::system("writing to standard output", errno)});
    return exit_ok;
}

int report(const Failure& failure) {
    fmt::print(stderr, "ballast: {}\n", harmless(failure.error.message()));
    if (!failure.error.hint().empty())
        fmt::print(stderr, "  {}\n", harmless(failure.error.hint()));
    return failure.exit_code;
}

} // namespace ballast::cli
