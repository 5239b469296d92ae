// SPDX-License-Identifier: Apache-2.0
// ballast-load: see commands.h. It dies with the script that started it.
#include <csignal>
#include <cstdio>
#include <sys/prctl.h>

#include <CLI/CLI.hpp>

#include "tests/bench/commands.h"

namespace {

using ballast::Address;
using ballast::Endpoint;
using ballast::Result;

/// Names a value as given on the command line in the error that its parser returns.
template <typename T>
T parsed(Result<T> (*parse)(std::string_view), const std::string& text) {
    auto value = parse(text);
    if (!value)
        throw CLI::ValidationError(text, value.error().text());
    return *value;
}

Endpoint endpoint(const std::string& text) {
    return parsed<Endpoint>(ballast::parse_endpoint, text);
}

/// The command line as parsed; `run` is what the chosen subcommand does.
struct Chosen {
    std::function<Result<void>()> run;
};

/// A subcommand with the endpoint that all but one have as their first argument.
CLI::App* with_endpoint(CLI::App& app, const char* name, const char* about, Endpoint& to) {
    auto* command = app.add_subcommand(name, about);
    command
        ->add_option_function<std::string>(
            "endpoint", [&to](const std::string& text) { to = endpoint(text); }, "ADDRESS:PORT")
        ->required();
    return command;
}

void add_serve(CLI::App& app, std::vector<Endpoint>& endpoints, Chosen& chosen) {
    auto* command = app.add_subcommand("serve", "accept and keep connections; answer requests");
    command
        ->add_option_function<std::vector<std::string>>(
            "endpoints",
            [&endpoints](const std::vector<std::string>& texts) {
                for (const auto& text : texts)
                    endpoints.push_back(endpoint(text));
            },
            "ADDRESS:PORT...")
        ->required();
    command->callback([&] { chosen.run = [&] { return ballast::bench::serve(endpoints); }; });
}

void add_hold(CLI::App& app, ballast::bench::HoldOptions& options, Chosen& chosen) {
    auto* command = with_endpoint(app, "hold", "open idle connections and keep them", options.to);
    command->add_option("count", options.count)->required();
    command->add_option_function<std::vector<std::string>>(
        "--from",
        [&options](const std::vector<std::string>& texts) {
            for (const auto& text : texts)
                options.from.push_back(parsed<Address>(ballast::parse_address, text));
        },
        "source addresses, used in turn");
    command->callback([&] { chosen.run = [&] { return ballast::bench::hold(options); }; });
}

void add_spaces(CLI::App& app, ballast::bench::SpacesOptions& options, Chosen& chosen) {
    auto* command =
        with_endpoint(app, "spaces", "connections within network namespaces", options.at);
    command->add_option("--count", options.count)->default_val(1U);
    command->add_option("--sockets", options.sockets)->default_val(20U);
    command->callback([&] { chosen.run = [&] { return ballast::bench::spaces(options); }; });
}

void add_rate(CLI::App& app, ballast::bench::RateOptions& options, Chosen& chosen) {
    auto* command = with_endpoint(app, "rate", "connect, and reset or ask, in a loop", options.to);
    command->add_option("--count", options.count)->default_val(1'000'000U);
    command
        ->add_option_function<std::uint32_t>(
            "--ms",
            [&options](std::uint32_t ms) { options.at_most = std::chrono::milliseconds(ms); })
        ->default_val(60'000U)
        ->force_callback();
    command->add_flag("--whole", options.whole, "a request, its answer and the end, not a reset");
    command->add_option_function<std::uint32_t>("--pause-ms", [&options](std::uint32_t ms) {
        options.pause = std::chrono::milliseconds(ms);
    });
    command->callback([&] { chosen.run = [&] { return ballast::bench::rate(options); }; });
}

void add_connects(CLI::App& app, ballast::bench::ConnectsOptions& options, Chosen& chosen) {
    auto* command =
        with_endpoint(app, "connects", "time connects, whether they succeed or fail", options.to);
    command->add_option("--count", options.count)->default_val(200U);
    command->callback([&] { chosen.run = [&] { return ballast::bench::connects(options); }; });
}

void add_race(CLI::App& app, ballast::bench::RaceOptions& options, Chosen& chosen) {
    auto* command = with_endpoint(app, "race", "threads that compete for connections", options.to);
    command->add_option("--threads", options.threads)->default_val(64U);
    command
        ->add_option_function<std::uint32_t>(
            "--ms",
            [&options](std::uint32_t ms) { options.lasting = std::chrono::milliseconds(ms); })
        ->default_val(5'000U)
        ->force_callback();
    command->callback([&] { chosen.run = [&] { return ballast::bench::race(options); }; });
}

void add_slots(CLI::App& app, ballast::bench::SlotsOptions& options, Chosen& chosen) {
    auto* command = with_endpoint(app, "slots", "close one, open one, at the limit", options.to);
    command->add_option("--most", options.most)->default_val(1'000U);
    command->add_option("--rounds", options.rounds)->default_val(100U);
    command->callback([&] { chosen.run = [&] { return ballast::bench::slots(options); }; });
}

void add_calls(CLI::App& app, ballast::bench::CallsOptions& options, Chosen& chosen) {
    auto* command =
        with_endpoint(app, "calls", "callers with a time-out, second by second", options.to);
    const auto add_ms = [command](const char* name, std::chrono::milliseconds& into, unsigned ms) {
        command
            ->add_option_function<std::uint32_t>(
                name, [&into](std::uint32_t value) { into = std::chrono::milliseconds(value); })
            ->default_val(ms)
            ->force_callback();
    };
    command->add_option("--threads", options.threads)->default_val(8U);
    add_ms("--ms", options.lasting, 5'000);
    add_ms("--timeout-ms", options.timeout, 2'000);
    add_ms("--keep-ms", options.keep, 0);
    add_ms("--pause-ms", options.pause, 20);
    command->callback([&] { chosen.run = [&] { return ballast::bench::calls(options); }; });
}

void add_packets(CLI::App& app, ballast::bench::PacketsOptions& options, Chosen& chosen) {
    auto* command = with_endpoint(app, "packets", "time a program of traffic control", options.to);
    command->add_option("--program", options.program, "its id")->required();
    command->callback([&] { chosen.run = [&] { return ballast::bench::time_packets(options); }; });
}

void add_syns(CLI::App& app, ballast::bench::SynsOptions& options, Chosen& chosen) {
    auto* command = with_endpoint(app, "syns", "send SYNs as fast as they are taken", options.to);
    command->add_option("--device", options.device)->required();
    command->add_option("--ethernet", options.ethernet, "address of the next hop")->required();
    command
        ->add_option_function<std::uint32_t>(
            "--ms",
            [&options](std::uint32_t ms) { options.lasting = std::chrono::milliseconds(ms); })
        ->default_val(1'000U)
        ->force_callback();
    command->callback([&] { chosen.run = [&] { return ballast::bench::send_syns(options); }; });
}

struct EmptyHooks {
    std::string cgroup;
    std::string directory;
};

void add_empty_hooks(CLI::App& app, EmptyHooks& options, Chosen& chosen) {
    auto* command = app.add_subcommand("empty-hooks", "attach programs that do nothing");
    command->add_option("cgroup", options.cgroup)->required();
    command->add_option("directory", options.directory, "where to pin, on a bpffs")->required();
    command->callback([&] {
        chosen.run = [&] {
            return ballast::bench::pin_empty_hooks(options.cgroup, options.directory);
        };
    });
}

int run(int argc, char** argv) {
    CLI::App app("Puts load on a host's TCP for Ballast's benchmarks and demos");
    app.require_subcommand(1);
    Chosen chosen;
    std::vector<Endpoint> endpoints;
    ballast::bench::HoldOptions hold;
    ballast::bench::SpacesOptions spaces;
    ballast::bench::RateOptions rate;
    ballast::bench::ConnectsOptions connects;
    ballast::bench::RaceOptions race;
    ballast::bench::SlotsOptions slots;
    ballast::bench::CallsOptions calls;
    ballast::bench::PacketsOptions packets;
    ballast::bench::SynsOptions syns;
    EmptyHooks empty;
    add_serve(app, endpoints, chosen);
    add_hold(app, hold, chosen);
    add_spaces(app, spaces, chosen);
    add_rate(app, rate, chosen);
    add_connects(app, connects, chosen);
    add_race(app, race, chosen);
    add_slots(app, slots, chosen);
    add_calls(app, calls, chosen);
    add_packets(app, packets, chosen);
    add_syns(app, syns, chosen);
    add_empty_hooks(app, empty, chosen);
    CLI11_PARSE(app, argc, argv);
    const auto done = chosen.run();
    if (!done)
        fmt::print(stderr, "ballast-load: {}\n", done.error().text());
    return done ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        fmt::print(stderr, "ballast-load: {}\n", error.what());
        return 1;
    }
}
