// SPDX-License-Identifier: Apache-2.0
// Progress of `discover` on standard error while it measures.
#pragma once

#include <string>

#include "cli/discover/session.h"

namespace ballast::cli {

/// "12s: survived 8.1s, dropped after 9.3s; 11 connections open, next probe in 350ms"
std::string progress_text(const Session::Progress& progress);

/// One line that is written over and over on a terminal; else a line whenever more is known.
class ProgressLine {
public:
    explicit ProgressLine(bool terminal) : terminal_(terminal) {}

    void show(const Session::Progress& progress);
    /// Takes the line off the terminal.
    void clear();

private:
    bool terminal_;
    discovery::Gap shown_at_{-1};
    std::optional<discovery::Gap> survived_;
    std::optional<discovery::Gap> died_;
};

} // namespace ballast::cli
