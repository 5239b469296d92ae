// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "cli/describe/describe.h"

namespace ballast::describe {
namespace {

/// Text as man(7) shows it unchanged: hyphens that can be copied, no control line by accident.
std::string plain(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool at_start = out.empty() || out.back() == '\n';
        if (at_start && (c == '.' || c == '\''))
            out += "\\&";
        if (c == '-')
            out += "\\-";
        else if (c == '\\')
            out += "\\e";
        else
            out += c;
    }
    return out;
}

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

/// "N", "off|observe|enforce" ... as it follows an option's name.
std::string value_text(const Parameter& parameter) {
    switch (parameter.takes) {
    case Takes::nothing:
        return "";
    case Takes::number:
        return " N";
    case Takes::word:
        return fmt::format(" {}", fmt::join(parameter.words, "|"));
    case Takes::text:
    case Takes::texts:
        break;
    }
    return parameter.completes == Completes::directories ? " DIRECTORY"
           : parameter.completes == Completes::files     ? " FILE"
                                                         : " TEXT";
}

/// "TARGET", "[WHAT]", "[FILTER]...".
std::string argument_text(const Parameter& parameter) {
    const std::string rest = parameter.takes == Takes::texts ? "..." : "";
    return parameter.is_required ? parameter.name + rest
                                 : fmt::format("[{}]{}", parameter.name, rest);
}

std::string details(const Parameter& parameter) {
    std::string text = parameter.help + ".";
    if (parameter.takes == Takes::number)
        text += fmt::format(" {} to {}.", parameter.least, parameter.most);
    if (!parameter.fallback.empty())
        text += fmt::format(" Default: {}.", parameter.fallback);
    if (!parameter.environment.empty())
        text += fmt::format(" The environment variable {} sets it too.", parameter.environment);
    return text;
}

std::string described(const std::vector<Parameter>& parameters) {
    std::string text;
    for (const Parameter& parameter : parameters) {
        const bool is_argument = parameter.is_positional();
        text += fmt::format(".TP\n{}\n{}\n",
                            is_argument ? fmt::format("\\fI{}\\fR", plain(parameter.name))
                                        : fmt::format("\\fB{}\\fR{}", plain(parameter.name),
                                                      plain(value_text(parameter))),
                            plain(details(parameter)));
    }
    return text;
}

std::string heading(const Verb& verb) {
    std::string text = verb.text();
    for (const Parameter& parameter : verb.command->parameters)
        if (parameter.is_positional())
            text += ' ' + argument_text(parameter);
    return text;
}

std::string verbs_text(const Program& program) {
    std::string text;
    for (const Verb& verb : verbs_of(program))
        if (verb.command->commands.empty())
            text += fmt::format(".SS \"{}\"\n{}.\n{}", plain(heading(verb)),
                                plain(verb.command->summary), described(verb.command->parameters));
    return text;
}

/// lines: "TERM what it is".
std::string list_text(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) {
        const std::size_t blank = line.find(' ');
        text += fmt::format(".TP\n\\fI{}\\fR\n{}\n", plain(line.substr(0, blank)),
                            plain(line.substr(blank + 1)));
    }
    return text;
}

std::string section(const std::string& name, const std::string& text) {
    return text.empty() ? "" : fmt::format(".SH {}\n{}", name, text);
}

} // namespace

std::string man_page(const Program& program, const Page& page) {
    const Command& whole = program.command;
    const std::string name = whole.name;
    const std::string verb = whole.commands.empty() ? "" : " \\fIVERB\\fR [\\fIARGUMENT\\fR...]";
    std::string summary = whole.summary;
    if (!summary.empty() && summary.back() == '.')
        summary.pop_back();
    std::string text = fmt::format(".\\\" Made from the rows of {}'s command line; do not "
                                   "edit.\n.TH {} {} \"\" \"Ballast {}\" "
                                   "\"Ballast\"\n",
                                   name, upper(name), page.section, page.version);
    text += section("NAME", fmt::format("{} \\- {}\n", name, plain(summary)));
    text += section("SYNOPSIS", fmt::format("\\fB{}\\fR [\\fIOPTION\\fR...]{}\n", name, verb));
    text += section("DESCRIPTION", plain(page.description));
    text += section("OPTIONS", described(whole.parameters));
    text += section("VERBS", verbs_text(program));
    text += section("EXIT STATUS", program.footer.empty() ? "" : plain(program.footer) + "\n");
    text += section("FILES", list_text(page.files));
    text += section("COUNTERS", list_text(page.counters));
    text +=
        section("SEE ALSO",
                page.see_also.empty() ? "" : fmt::format("{}\n", fmt::join(page.see_also, ",\n")));
    return text;
}

} // namespace ballast::describe
