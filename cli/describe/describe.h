// SPDX-License-Identifier: Apache-2.0
// Generates the manual page and the bash, zsh and fish completions from the rows that also make a
// program's parser. Pure: rows in, the text of a file out.
#pragma once

#include <string>
#include <vector>

#include "daemon/util/command_line.h"

namespace ballast::describe {

/// A manual page's frame.
struct Page {
    int section = 1;                        ///< as in man(1)
    std::string version = {};               ///< "0.1.0"
    std::string description = {};           ///< paragraphs, each ends with a newline
    std::vector<std::string> files = {};    ///< "PATH what it is"
    std::vector<std::string> counters = {}; ///< "NAME what it counts"
    std::vector<std::string> see_also = {};
};

/// In man(7)'s language; every verb that is not hidden, with its parameters.
std::string man_page(const Program& program, const Page& page);

/// Names of services and destinations are asked for from the running daemon, through the hidden
/// verb `complete`, where a parameter wants one.
std::string bash_completion(const Program& program);
std::string zsh_completion(const Program& program);
std::string fish_completion(const Program& program);

/// A command and the words that lead to it: {"limit", "set"}; none for the program itself.
struct Verb {
    std::vector<std::string> words;
    const Command* command = nullptr;

    /// "limit set"
    [[nodiscard]] std::string text() const;
};

/// Those that are not hidden, in order; groups like `limit` stand before their members.
std::vector<Verb> verbs_of(const Program& program);

/// The argument of the verb `complete` that lists what a parameter wants; "" where nothing does.
std::string listed_by(Completes completes);

} // namespace ballast::describe
