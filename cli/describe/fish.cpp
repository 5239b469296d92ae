// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/describe/describe.h"

namespace ballast::describe {
namespace {

/// In single quotes of fish.
std::string in_fish(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + "'";
}

std::string fish_candidates(const std::string& program, const Parameter& parameter) {
    if (parameter.takes == Takes::word)
        return fmt::format(" -x -a '{}'", fmt::join(parameter.words, " "));
    if (parameter.completes == Completes::directories)
        return " -x -a '(__fish_complete_directories)'";
    if (parameter.completes == Completes::files)
        return " -r -F";
    if (parameter.completes == Completes::filters)
        return " -f -a 'dest= local= service= state= direction='";
    const std::string listed = listed_by(parameter.completes);
    if (!listed.empty())
        return fmt::format(" -x -a '({} complete {} 2>/dev/null)'", program, listed);
    return parameter.takes == Takes::nothing ? "" : " -x";
}

/// True on the command line when these words were given and none of their sub-commands yet.
std::string condition(const Verb& verb) {
    std::string text;
    for (const std::string& word : verb.words)
        text += fmt::format("{}__fish_seen_subcommand_from {}", text.empty() ? "" : "; and ", word);
    std::string subs;
    for (const Command& sub : verb.command->commands)
        subs += ' ' + sub.name;
    if (!subs.empty())
        text +=
            fmt::format("{}not __fish_seen_subcommand_from{}", text.empty() ? "" : "; and ", subs);
    return text;
}

std::string line(const std::string& program, const std::string& when, const std::string& rest,
                 const std::string& help) {
    return fmt::format("complete -c {}{}{} -d {}\n", program,
                       when.empty() ? "" : fmt::format(" -n {}", in_fish(when)), rest,
                       in_fish(help));
}

std::string lines_of(const std::string& program, const Verb& verb, const std::string& when) {
    std::string text;
    for (const Parameter& parameter : verb.command->parameters) {
        const std::string found = fish_candidates(program, parameter);
        if (!parameter.is_positional())
            text += line(program, when, fmt::format(" -l {}{}", parameter.name.substr(2), found),
                         parameter.help);
        else if (parameter.completes != Completes::nothing)
            text += line(program, when, found, parameter.help);
    }
    for (const Command& sub : verb.command->commands)
        if (!sub.is_hidden)
            text += line(program, when, fmt::format(" -a {}", sub.name), sub.summary);
    return text;
}

} // namespace

std::string fish_completion(const Program& program) {
    const std::string name = program.command.name;
    std::string text =
        fmt::format("# fish completion for {0}. Made from the rows of its command line; "
                    "do not edit.\ncomplete -c {0} -f\n",
                    name);
    const Verb whole{{}, &program.command};
    // its options are taken after every verb, its verbs only before one
    for (const Parameter& parameter : program.command.parameters)
        text += line(
            name, "",
            fmt::format(" -l {}{}", parameter.name.substr(2), fish_candidates(name, parameter)),
            parameter.help);
    for (const Command& sub : program.command.commands)
        if (!sub.is_hidden)
            text += line(name, condition(whole), fmt::format(" -a {}", sub.name), sub.summary);
    for (const Verb& verb : verbs_of(program))
        text += lines_of(name, verb, condition(verb));
    return text;
}

} // namespace ballast::describe
