// SPDX-License-Identifier: Apache-2.0
// Command lines described as data: a Command is a row with its parameters and what it does. From
// that one description come the parser (CLI11, which only command_line.cpp knows), the manual pages
// and the shells' completions.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ballast {

/// The kind of value that a parameter takes.
enum class Takes {
    nothing, ///< a flag
    text,
    number, ///< least..most
    word,   ///< one of `words`
    texts,  ///< positional only: any number of texts
};

/// The values that a shell completes.
enum class Completes { nothing, files, directories, services, destinations, targets, filters };

/// An option ("--limit") or, where the name does not start with a dash, a positional argument.
struct Parameter {
    std::string name;
    std::string help;
    Takes takes = Takes::text;
    std::uint64_t least = 0;
    std::uint64_t most = 0;
    std::vector<std::string> words = {};
    std::string fallback = {};    ///< the value where none was given; empty: none
    std::string environment = {}; ///< variable that sets it where the command line does not
    Completes completes = Completes::nothing;
    bool is_required = false;

    [[nodiscard]] bool is_positional() const { return !name.starts_with('-'); }
};

/// The values of a command line, by the names of their parameters.
class Arguments {
public:
    /// Whether a value was given, or a flag set; a fallback counts for nothing.
    [[nodiscard]] bool has(std::string_view name) const;
    /// The value, else the fallback, else empty.
    [[nodiscard]] std::string text(std::string_view name) const;
    /// The number in its range; 0 where there is none.
    [[nodiscard]] std::uint64_t number(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;

private:
    friend class Parser;
    struct Value {
        std::string text;
        std::vector<std::string> texts;
        bool flag = false;
        bool is_given = false;
    };
    [[nodiscard]] const Value* find(std::string_view name) const;

    std::map<std::string, Value, std::less<>> values_;
};

struct Command {
    std::string name;
    std::string summary;
    std::vector<Parameter> parameters = {};
    std::function<int(const Arguments&)> run = {}; ///< returns the exit code
    std::vector<Command> commands = {}; ///< one of them has to be named; `run` is not called then
    bool is_hidden = false;             ///< left out of help, manual pages and completions
};

/// The whole of a program.
struct Program {
    Command command;     ///< its parameters are accepted after every subcommand too
    std::string version; ///< what --version prints
    std::string footer;  ///< of every help text
};

constexpr int kUsageExitCode = 2;

/// Parses and runs; the exit code. Help and version go to standard output, what is wrong to
/// standard error with kUsageExitCode.
int run_program(const Program& program, int argc, char** argv);

} // namespace ballast
