// SPDX-License-Identifier: Apache-2.0
#include "cli/discover/progress.h"

#include <cstdio>

#include <fmt/format.h>

#include "cli/human.h"

namespace ballast::cli {
namespace {

using discovery::Gap;

constexpr Gap kRewriteEvery{250};
constexpr const char* kEraseLine = "\r\033[K";

std::string gap_text(const char* what, const std::optional<Gap>& gap) {
    return gap ? fmt::format("{} {}", what, human_ms(gap->count())) : "";
}

} // namespace

std::string progress_text(const Session::Progress& progress) {
    const std::string survived = gap_text("survived", progress.findings.survived);
    const std::string died = gap_text("lost after", progress.findings.died);
    const std::string known =
        survived.empty() && died.empty()
            ? "nothing known yet"
            : survived + (survived.empty() || died.empty() ? "" : ", ") + died;
    return fmt::format("{}: {}; {} open{}", human_ms(progress.elapsed.count()), known,
                       counted(progress.open, "connection"),
                       gap_text(", next probe in", progress.next_probe));
}

void ProgressLine::show(const Session::Progress& progress) {
    const bool news = progress.findings.survived != survived_ || progress.findings.died != died_;
    const bool due = shown_at_ < Gap(0) || progress.elapsed >= shown_at_ + kRewriteEvery;
    if (terminal_ ? !due : !news)
        return;
    shown_at_ = progress.elapsed;
    survived_ = progress.findings.survived;
    died_ = progress.findings.died;
    fmt::print(stderr, "{}{}{}", terminal_ ? kEraseLine : "", progress_text(progress),
               terminal_ ? "" : "\n");
    std::fflush(stderr);
}

void ProgressLine::clear() {
    if (terminal_ && shown_at_ >= Gap(0))
        fmt::print(stderr, "{}", kEraseLine);
}

} // namespace ballast::cli
