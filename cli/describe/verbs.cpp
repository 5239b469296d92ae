// SPDX-License-Identifier: Apache-2.0
#include "cli/describe/describe.h"

#include <fmt/format.h>

namespace ballast::describe {
namespace {

void add_verbs(std::vector<Verb>& into, const Verb& under) {
    for (const Command& command : under.command->commands) {
        if (command.is_hidden)
            continue;
        Verb verb{under.words, &command};
        verb.words.push_back(command.name);
        into.push_back(verb);
        add_verbs(into, verb);
    }
}

} // namespace

std::string Verb::text() const {
    return fmt::format("{}", fmt::join(words, " "));
}

std::vector<Verb> verbs_of(const Program& program) {
    std::vector<Verb> all;
    add_verbs(all, {{}, &program.command});
    return all;
}

std::string listed_by(Completes completes) {
    switch (completes) {
    case Completes::services:
        return "services";
    case Completes::destinations:
        return "destinations";
    case Completes::targets:
        return "targets";
    case Completes::nothing:
    case Completes::files:
    case Completes::directories:
    case Completes::filters:
        break;
    }
    return "";
}

} // namespace ballast::describe
