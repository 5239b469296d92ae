// SPDX-License-Identifier: Apache-2.0
#include "daemon/util/command_line.h"

#include <charconv>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace ballast {

const Arguments::Value* Arguments::find(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? nullptr : &found->second;
}

bool Arguments::has(std::string_view name) const {
    const Value* value = find(name);
    return value != nullptr && value->is_given;
}

std::string Arguments::text(std::string_view name) const {
    const Value* value = find(name);
    return value == nullptr ? "" : value->text;
}

std::uint64_t Arguments::number(std::string_view name) const {
    const std::string digits = text(name);
    std::uint64_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
}

std::vector<std::string> Arguments::texts(std::string_view name) const {
    const Value* value = find(name);
    return value == nullptr ? std::vector<std::string>() : value->texts;
}

/// Turns rows into CLI11's objects and keeps which command was named.
class Parser {
public:
    explicit Parser(const Program& program)
        : program_(program), app_(program.command.summary, program.command.name) {
        app_.fallthrough();
        app_.footer(program.footer);
        app_.failure_message(
            [name = program.command.name](const CLI::App* app, const CLI::Error& error) {
                return usage_message(name, app, error);
            });
        app_.set_version_flag("--version", program.version);
        add(app_, program.command);
    }

    int run(int argc, char** argv) {
        try {
            app_.parse(argc, argv);
        } catch (const CLI::ParseError& error) {
            return app_.exit(error) == 0 ? 0 : kUsageExitCode;
        }
        take_given();
        return chosen_->run(arguments_);
    }

private:
    static std::string usage_message(const std::string& name, const CLI::App* app,
                                     const CLI::Error& error) {
        const auto unknown = app->remaining();
        const std::string what = unknown.empty() || error.get_name() != "RequiredError"
                                     ? error.what()
                                     : fmt::format("there is no verb '{}'", unknown.front());
        return fmt::format(
            "{}: {}\n  {} --help shows the {}options\n", name, what, name,
            app->get_subcommands([](const CLI::App*) { return true; }).empty() ? "" : "verbs and ");
    }

    void add(CLI::App& app, const Command& command) {
        for (const Parameter& parameter : command.parameters)
            add(app, parameter);
        if (command.commands.empty()) {
            app.callback([this, &command] { chosen_ = &command; });
            return;
        }
        app.require_subcommand(1);
        for (const Command& sub : command.commands) {
            CLI::App* added = app.add_subcommand(sub.name, sub.summary);
            if (sub.is_hidden)
                added->group("");
            add(*added, sub);
        }
    }

    void add(CLI::App& app, const Parameter& parameter) {
        const std::string key = parameter.name;
        // The same name in two commands is two values, of which one can be given.
        CLI::Option* option = add_value(app, parameter, arguments_.values_[key]);
        if (parameter.is_required)
            option->required();
        if (!parameter.environment.empty())
            option->envname(parameter.environment);
        options_.emplace_back(option, &parameter);
    }

    static CLI::Option* add_value(CLI::App& app, const Parameter& parameter,
                                  Arguments::Value& value) {
        switch (parameter.takes) {
        case Takes::nothing:
            return app.add_flag(parameter.name, value.flag, parameter.help);
        case Takes::texts:
            return app.add_option(parameter.name, value.texts, parameter.help);
        case Takes::number:
            return with_fallback(app.add_option(parameter.name, value.text, parameter.help)
                                     ->type_name("UINT")
                                     ->check(CLI::Range(parameter.least, parameter.most)),
                                 parameter);
        case Takes::word:
            return with_fallback(app.add_option(parameter.name, value.text, parameter.help)
                                     ->check(CLI::IsMember(parameter.words)),
                                 parameter);
        case Takes::text:
            break;
        }
        return with_fallback(app.add_option(parameter.name, value.text, parameter.help), parameter);
    }

    static CLI::Option* with_fallback(CLI::Option* option, const Parameter& parameter) {
        if (!parameter.fallback.empty())
            option->default_str(parameter.fallback);
        return option;
    }

    /// Fallbacks are filled in after the parse, since commands that were not named share the names
    /// of their parameters with the one that was.
    void take_given() {
        for (const auto& [option, parameter] : options_) {
            Arguments::Value& value = arguments_.values_[parameter->name];
            if (!option->empty())
                value.is_given = true;
        }
        fill(program_.command.parameters);
        fill(chosen_->parameters);
    }

    void fill(const std::vector<Parameter>& parameters) {
        for (const Parameter& parameter : parameters)
            if (Arguments::Value& value = arguments_.values_[parameter.name]; !value.is_given)
                value.text = parameter.fallback;
    }

    const Program& program_;
    CLI::App app_;
    Arguments arguments_;
    std::vector<std::pair<CLI::Option*, const Parameter*>> options_;
    const Command* chosen_ = nullptr;
};

int run_program(const Program& program, int argc, char** argv) {
    return Parser(program).run(argc, argv);
}

} // namespace ballast
