// SPDX-License-Identifier: Apache-2.0
// For bash-completion(1), whose helpers take care of the colons in addresses.
#include <fmt/format.h>

#include "cli/describe/describe.h"

namespace ballast::describe {
namespace {

constexpr const char* kFilters = "dest= local= service= state= direction=";

/// A command that fills COMPREPLY with what a parameter's value may be; "" where nothing is known.
std::string candidates(const std::string& program, const Parameter& parameter) {
    const auto words = [](const std::string& list) {
        return fmt::format("mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")", list);
    };
    if (parameter.takes == Takes::word)
        return words(fmt::format("{}", fmt::join(parameter.words, " ")));
    if (parameter.completes == Completes::directories)
        return "_filedir -d";
    if (parameter.completes == Completes::files)
        return "_filedir";
    if (parameter.completes == Completes::filters)
        return words(kFilters) + "; compopt -o nospace";
    const std::string listed = listed_by(parameter.completes);
    return listed.empty() ? "" : fmt::format("_{}_listed {}", program, listed);
}

std::string options_of(const std::vector<Parameter>& parameters) {
    std::string text;
    for (const Parameter& parameter : parameters)
        if (!parameter.is_positional())
            text += parameter.name + ' ';
    return text;
}

/// One line of a case: what an option's value may be, under the verb that has the option.
std::string value_line(const std::string& program, const std::string& verb,
                       const Parameter& parameter) {
    const std::string found = candidates(program, parameter);
    return fmt::format("    '{}:{}')\n        {}\n        return\n        ;;\n", verb,
                       parameter.name, found.empty() ? ":" : found);
}

std::string value_lines(const std::string& program, const std::string& verb,
                        const std::vector<Parameter>& parameters) {
    std::string text;
    for (const Parameter& parameter : parameters)
        if (!parameter.is_positional() && parameter.takes != Takes::nothing)
            text += value_line(program, verb, parameter);
    return text;
}

/// The words allowed where a verb expects a verb or an argument.
std::string next_line(const std::string& program, const std::string& verb, const Command& command) {
    std::string options = options_of(command.parameters);
    std::string names;
    for (const Command& sub : command.commands)
        if (!sub.is_hidden)
            names += sub.name + ' ';
    std::string first;
    for (const Parameter& parameter : command.parameters)
        if (parameter.is_positional() && first.empty())
            first = candidates(program, parameter);
    std::string text = fmt::format("    '{}')\n        options+=' {}'\n", verb, options);
    if (!names.empty())
        text +=
            fmt::format("        [[ $cur == -* ]] || mapfile -t COMPREPLY < <(compgen -W '{}' -- "
                        "\"$cur\")\n",
                        names);
    if (!first.empty())
        text += fmt::format("        [[ $cur == -* ]] || {{ {}; }}\n", first);
    return text + "        ;;\n";
}

std::string verb_pattern(const Program& program) {
    std::string text;
    for (const Verb& verb : verbs_of(program))
        text += fmt::format("{}'{}'", text.empty() ? "" : " | ", verb.text());
    return text.empty() ? "''" : text;
}

/// "--runtime-dir | --bpffs": options whose value is no verb.
std::string valued_options(const Program& program) {
    std::string text;
    for (const Parameter& parameter : program.command.parameters)
        if (!parameter.is_positional() && parameter.takes != Takes::nothing)
            text += (text.empty() ? "" : " | ") + parameter.name;
    return text;
}

} // namespace

std::string bash_completion(const Program& program) {
    const std::string name = program.command.name;
    const auto& globals = program.command.parameters;
    std::string values = value_lines(name, "*", globals);
    std::string nexts = next_line(name, "", program.command);
    for (const Verb& verb : verbs_of(program)) {
        values += value_lines(name, verb.text(), verb.command->parameters);
        nexts += next_line(name, verb.text(), *verb.command);
    }
    // the pattern of an option that every verb has
    for (std::size_t at = values.find("'*:"); at != std::string::npos; at = values.find("'*:", at))
        values.replace(at, 3, "*':");
    return fmt::format(
        R"sh(# bash completion for {name}. Made from the rows of its command line; do not edit.

_{name}_listed() {{
    mapfile -t COMPREPLY < <(compgen -W "$({name} "${{where[@]}}" complete "$1" 2>/dev/null)" -- "$cur")
}}

_{name}() {{
    local cur prev words cword verb='' options='--help {globals}' where=() i
    _init_completion -n := || return
    for ((i = 1; i < cword; i++)); do
        case ${{words[i]}} in
        {valued})
            where+=("${{words[i]}}" "${{words[i + 1]}}")
            ((i++))
            ;;
        -*) ;;
        *)
            case "${{verb:+$verb }}${{words[i]}}" in
            {verbs}) verb="${{verb:+$verb }}${{words[i]}}" ;;
            esac
            ;;
        esac
    done
    case "$verb:$prev" in
{values}    esac
    case $verb in
{nexts}    esac
    [[ $cur != -* ]] || mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
    __ltrim_colon_completions "$cur"
}} && complete -F _{name} {name}
)sh",
        fmt::arg("name", name), fmt::arg("globals", options_of(globals)),
        fmt::arg("valued", valued_options(program)), fmt::arg("verbs", verb_pattern(program)),
        fmt::arg("values", values), fmt::arg("nexts", nexts));
}

} // namespace ballast::describe
