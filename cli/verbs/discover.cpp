// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <csignal>
#include <memory>

#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/discover/keep.h"
#include "cli/discover/progress.h"
#include "cli/discover/reach.h"
#include "cli/discover/report.h"
#include "cli/discover/session.h"
#include "cli/human.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"
#include "daemon/util/duration.h"

namespace ballast::cli {
namespace {

constexpr DurationRange kMax{guards::kShortestGap, std::chrono::hours(24)};
constexpr std::size_t kMostConnections = 64;
constexpr int kFinest = 5;
constexpr int kCoarsest = 100;

struct Args {
    std::string target;
    std::string max = "15m";
    guards::DiscoveryOptions options;
};

/// Readable on Ctrl-C or SIGTERM, which end nothing by themselves any more.
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

Outcome<Session::Report> measure(const Peer& peer, const guards::DiscoveryOptions& options) {
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
int conclude(const Call& call, const Measurement& measurement, const Session::Report& done,
             const Peer& peer) {
    const int shown = show(call, discover_view(discover_document(measurement, done)));
    if (shown != exit_ok)
        return shown;
    say(keep(Client(call.runtime_dir), measurement, done.findings));
    if (done.interrupted)
        return exit_interrupted;
    if (done.findings.state == guards::Discovered::cannot_open)
        return report(unopened(peer, done.error, Client(call.runtime_dir)));
    const auto failure = failure_of(measurement, done);
    return failure ? report(*failure) : exit_ok;
}

Outcome<Target> parse(Args& args) {
    const auto max = parse_duration(args.max, kMax);
    if (!max)
        return fail_with(exit_usage, max.error().context("--max").hint("as in 90s, 15m or 2h"));
    args.options.longest = *max;
    auto target = parse_target(args.target);
    if (!target)
        return fail_with(exit_usage, target.error());
    return *target;
}

int run(const Call& call, Args& args) {
    const auto target = parse(args);
    if (!target)
        return report(target.error());
    const auto peers = resolve(*target);
    if (!peers)
        return report({exit_failed, peers.error()});
    const auto reached = reach(*peers, Client(call.runtime_dir), args.options.connections);
    if (!reached)
        return report(reached.error());
    const Endpoint& destination = reached->peer.endpoint;
    Measurement measurement{destination, parse_address(target->host) ? "" : target->host,
                            args.options};
    measurement.options.connections = reached->allowance.connections;
    say(taken_text(*target, measurement));
    say(reached->allowance.note);
    const auto done = measure(reached->peer, measurement.options);
    return done ? conclude(call, measurement, *done, reached->peer) : report(done.error());
}

} // namespace

void add_discover(CLI::App& app, Call& call) {
    auto args = std::make_shared<Args>();
    auto* verb = app.add_subcommand("discover", "Measure a path's idle timeout, with connections "
                                                "of its own");
    verb->add_option("HOST:PORT", args->target, "The destination: an address or a name")
        ->required();
    verb->add_option("--max", args->max, "Longest timeout to look for")->capture_default_str();
    verb->add_option("--resolution", args->options.resolution_percent,
                     "Width of the result, percent of the timeout")
        ->check(CLI::Range(kFinest, kCoarsest))
        ->capture_default_str();
    verb->add_option("--connections", args->options.connections, "Most to have open at a time")
        ->check(CLI::Range(kFewestConnections, kMostConnections))
        ->capture_default_str();
    verb->callback([&call, args] { call.exit_code = run(call, *args); });
}

} // namespace ballast::cli
