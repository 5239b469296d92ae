// SPDX-License-Identifier: Apache-2.0
// A function for each command, put together from _arguments(1); see zshcompsys(1).
#include <algorithm>

#include <fmt/format.h>

#include "cli/describe/describe.h"

namespace ballast::describe {
namespace {

/// As it may stand in a specification of _arguments, in single quotes.
std::string in_zsh(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\'')
            out += "'\\'";
        else if (c == '[' || c == ']' || c == ':' || c == '\\')
            out += '\\';
        out += c;
    }
    return out;
}

std::string action(const std::string& program, const Parameter& parameter) {
    if (parameter.takes == Takes::word)
        return fmt::format("({})", fmt::join(parameter.words, " "));
    if (parameter.completes == Completes::directories)
        return "_files -/";
    if (parameter.completes == Completes::files)
        return "_files";
    if (parameter.completes == Completes::filters)
        return "(dest= local= service= state= direction=)";
    const std::string listed = listed_by(parameter.completes);
    return listed.empty() ? " " : fmt::format("_{}_listed {}", program, listed);
}

std::string specification(const std::string& program, const Parameter& parameter) {
    const std::string help = in_zsh(parameter.help);
    if (parameter.is_positional())
        return fmt::format("'{}:{}:{}'", parameter.takes == Takes::texts ? "*" : "", help,
                           action(program, parameter));
    if (parameter.takes == Takes::nothing)
        return fmt::format("'{}[{}]'", parameter.name, help);
    return fmt::format("'{}[{}]:value:{}'", parameter.name, help, action(program, parameter));
}

std::string function_name(const std::string& program, const Verb& verb) {
    return verb.words.empty() ? "_" + program
                              : fmt::format("_{}_{}", program, fmt::join(verb.words, "_"));
}

std::string group_function(const std::string& program, const Verb& verb, const std::string& specs) {
    std::string names;
    std::string cases;
    for (const Command& sub : verb.command->commands) {
        if (sub.is_hidden)
            continue;
        Verb inner{verb.words, &sub};
        inner.words.push_back(sub.name);
        names += fmt::format("        '{}:{}'\n", sub.name, in_zsh(sub.summary));
        cases += fmt::format("        {}) {} ;;\n", sub.name, function_name(program, inner));
    }
    return fmt::format(R"sh({function}() {{
    local curcontext="$curcontext" state line
    _arguments -C \
{specs}        '1:verb:->verb' '*::argument:->argument'
    case $state in
    verb)
        local -a verbs=(
{names}        )
        _describe verb verbs
        ;;
    argument)
        case $line[1] in
{cases}        esac
        ;;
    esac
}}

)sh",
                       fmt::arg("function", function_name(program, verb)), fmt::arg("specs", specs),
                       fmt::arg("names", names), fmt::arg("cases", cases));
}

std::string function_of(const Program& program, const Verb& verb) {
    const std::string name = program.command.name;
    std::string specs;
    const auto add = [&](const std::vector<Parameter>& parameters) {
        for (const Parameter& parameter : parameters)
            specs += fmt::format("        {} \\\n", specification(name, parameter));
    };
    add(program.command.parameters);
    if (verb.command != &program.command)
        add(verb.command->parameters);
    if (!verb.command->commands.empty())
        return group_function(name, verb, specs);
    return fmt::format(
        "{}() {{\n    _arguments \\\n{}        '--help[Print this help message]'\n}}\n\n",
        function_name(name, verb), specs);
}

} // namespace

std::string zsh_completion(const Program& program) {
    const std::string name = program.command.name;
    std::string text = fmt::format(R"sh(#compdef {0}
# zsh completion for {0}. Made from the rows of its command line; do not edit.

_{0}_listed() {{
    # what _arguments adds stands before the kind
    local -a names=(${{(f)"$({0} complete ${{@[-1]}} 2>/dev/null)"}})
    compadd "${{@[1,-2]}}" -a names
}}

)sh",
                                   name);
    for (const Verb& verb : verbs_of(program))
        text += function_of(program, verb);
    text += function_of(program, {{}, &program.command});
    return text + fmt::format("_{} \"$@\"\n", name);
}

} // namespace ballast::describe
