// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <csignal>

#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/discover/keep.h"
#include "cli/discover/progress.h"
#include "cli/discover/reach.h"
#include "cli/discover/report.h"
#include "cli/discover/session.h"
#include "cli/human.h"
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"
#include "daemon/util/duration.h"

namespace ballast::cli {
namespace {

constexpr DurationRange kMax{discovery::kShortestGap, std::chrono::hours(24)};
constexpr std::uint64_t kMostConnections = 64;
constexpr std::uint64_t kFinest = 5;
constexpr std::uint64_t kCoarsest = 100;

/// Readable on Ctrl-C or SIGTERM, which no longer end the process by themselves.
Result<Fd> take_interrupts() {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGINT);
    ::sigaddset(&signals, SIGTERM);
    if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0)
        return fail(Error::system("sigprocmask", errno));
    Fd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd)
        return fail(Error::system("signalfd", errno));
    return fd;
}

void say(const std::string& what) {
    if (!what.empty())
        fmt::print(stderr, "{}\n", harmless(what));
}

/// "db.internal is 10.0.0.5:5432" where a name was given.
std::string taken_text(const Target& target, const Measurement& measurement) {
    return measurement.name.empty()
               ? ""
               : fmt::format("{} is {}", target.host, measurement.destination.text());
}

Outcome<Session::Report> measure(const Peer& peer, const discovery::DiscoveryOptions& options) {
    const auto interrupted = take_interrupts();
    if (!interrupted)
        return fail_with(exit_failed, interrupted.error());
    ProgressLine line(::isatty(STDERR_FILENO) != 0);
    auto done = Session(peer, options).run(interrupted->get(), [&line](const auto& progress) {
        line.show(progress);
    });
    line.clear();
    if (!done)
        return fail_with(exit_failed, done.error());
    return *done;
}

/// Shows what is known, then says why it is not more.
int conclude(const Arguments& args, const Measurement& measurement, const Session::Report& done,
             const Peer& peer) {
    const int shown = show(args, discover_view(discover_document(measurement, done)));
    if (shown != exit_ok)
        return shown;
    say(keep(client_of(args), measurement, done.findings));
    if (done.interrupted)
        return exit_interrupted;
    if (done.findings.state == discovery::Discovered::cannot_open)
        return report(unopened(peer, done.error, client_of(args)));
    const auto failure = failure_of(measurement, done);
    return failure ? report(*failure) : exit_ok;
}

Outcome<discovery::DiscoveryOptions> options_of(const Arguments& args) {
    const auto max = parse_duration(args.text("--max"), kMax);
    if (!max)
        return fail_with(exit_usage, max.error().context("--max").hint("as in 90s, 15m or 2h"));
    discovery::DiscoveryOptions options;
    options.longest = *max;
    options.resolution_percent = static_cast<int>(args.number("--resolution"));
    options.connections = args.number("--connections");
    return options;
}

int measure_path(const Arguments& args, const discovery::DiscoveryOptions& options,
                 const Target& target) {
    const auto peers = resolve(target);
    if (!peers)
        return report({exit_failed, peers.error()});
    const auto reached = reach(*peers, client_of(args), options.connections);
    if (!reached)
        return report(reached.error());
    const Endpoint& destination = reached->peer.endpoint;
    Measurement measurement{destination, parse_address(target.host) ? "" : target.host, options};
    measurement.options.connections = reached->allowance.connections;
    say(taken_text(target, measurement));
    say(reached->allowance.note);
    const auto done = measure(reached->peer, measurement.options);
    return done ? conclude(args, measurement, *done, reached->peer) : report(done.error());
}

int run_discover(const Arguments& args) {
    const auto options = options_of(args);
    if (!options)
        return report(options.error());
    const auto target = parse_target(args.text("HOST:PORT"));
    if (!target)
        return report({exit_usage, target.error()});
    return measure_path(args, *options, *target);
}

std::vector<Parameter> discover_parameters() {
    const discovery::DiscoveryOptions usual;
    return {destination_parameter("HOST:PORT", "The destination: an address or a name"),
            {.name = "--max", .help = "Longest timeout to look for", .fallback = "15m"},
            {.name = "--resolution",
             .help = "Width of the result, percent of the timeout",
             .takes = Takes::number,
             .least = kFinest,
             .most = kCoarsest,
             .fallback = std::to_string(usual.resolution_percent)},
            {.name = "--connections",
             .help = "Most to have open at a time",
             .takes = Takes::number,
             .least = kFewestConnections,
             .most = kMostConnections,
             .fallback = std::to_string(usual.connections)}};
}

} // namespace

Command discover_verb() {
    return {.name = "discover",
            .summary = "Measure a path's idle timeout, with connections of its own",
            .parameters = discover_parameters(),
            .run = run_discover};
}

} // namespace ballast::cli
