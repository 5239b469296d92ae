// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/daemon.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <utility>

#include <malloc.h>
#include <systemd/sd-daemon.h>

#include "bpf/abi.h"
#include "daemon/app/log.h"
#include "daemon/app/start_up.h"
#include "daemon/config/policy_files.h"
#include "daemon/kernel/cgroup.h"
#include "daemon/kernel/consumer_recycler.h"
#include "daemon/kernel/pinned.h"
#include "daemon/kernel/pins.h"

namespace ballast::app {

namespace {

constexpr std::chrono::seconds heartbeat_interval{1};
constexpr unsigned seconds_between_recycling = 10;

std::chrono::nanoseconds monotonic() {
    return std::chrono::steady_clock::now().time_since_epoch();
}

/// What breakers turn away, they tell of themselves.
guards::LimitReading read_limits(const ballast_destination& destination, std::uint32_t index) {
    guards::LimitReading reading{.index = index, .refused = {}, .over_limit = {}};
    std::copy_n(destination.refused, guards::kLimitReasons, reading.refused.begin());
    std::copy_n(destination.over, guards::kLimitReasons, reading.over_limit.begin());
    return reading;
}

} // namespace

Daemon::Daemon(Options options, EventLoop loop, kernel::Programs programs)
    : options_(std::move(options)), loop_(std::move(loop)), programs_(std::move(programs)),
      maps_(programs_.maps()), policy_map_(maps_), recycler_(maps_, policy_map_),
      in_force_(maps_, policy_map_), hooks_(programs_), timeouts_(programs_),
      names_(loop_, store_file(options_), [this] { return take_answers(); }) {}

Result<std::unique_ptr<Daemon>> Daemon::start(const Options& options) {
    const auto pins = kernel::inspect_pins(options.bpffs_dir);
    if (!pins)
        return fail(pins.error());
    const auto readable = load_policy(options.config);
    if (!readable && *pins != kernel::PinState::complete)
        return fail(readable.error());
    if (auto made = make_directory(options.runtime_dir); !made)
        return fail(made.error());
    if (auto made = make_directory(options.state_dir); !made)
        return fail(made.error());
    auto store = Store::open(store_file(options));
    if (!store)
        return fail(store.error());
    auto loop = EventLoop::create();
    if (!loop)
        return fail(loop.error());
    auto programs = kernel::Programs::load({.bpffs_dir = options.bpffs_dir,
                                            .runtime_dir = options.runtime_dir,
                                            .cgroup = options.cgroup});
    if (!programs)
        return fail(why_not_loaded(programs.error(), options.cgroup));
    std::unique_ptr<Daemon> daemon(new Daemon(options, std::move(*loop), std::move(*programs)));
    auto up =
        daemon->prepare(std::move(*store)).and_then([&] { return daemon->attach(); }).and_then([&] {
            return daemon->serve();
        });
    if (up)
        return daemon;
    const bool was_there = daemon->programs_.adopted();
    daemon.reset(); // lets go of the pins
    if (!was_there)
        (void)kernel::unload(options.bpffs_dir, options.runtime_dir);
    return fail(up.error());
}

Result<void> Daemon::prepare(Store store) {
    for (const auto& notice : programs_.notices())
        log::warn("{}", notice);
    if (!store.notice().empty())
        log::warn("{}", store.notice());
    if (auto freed = recycler_.resume(); !freed)
        log::warn("{}", freed.error().text());
    policy_ = std::make_unique<PolicyKeeper>(options_.config, policy_map_, in_force_, timeouts_,
                                             names_, std::move(store));
    if (auto loaded = policy_->reload(); !loaded) {
        if (!programs_.adopted())
            return loaded;
        policy_->adopt_running(loaded.error());
        log::error("policy refused, the one in force stays: {}", loaded.error().text());
    }
    auto sweeps = SweepRunner::create(loop_, maps_, policy_map_, programs_.sweep_links());
    if (!sweeps)
        return fail(sweeps.error());
    sweeps_ = std::move(*sweeps);
    in_force_.subscribe(*sweeps_);
    auto breakers = BreakerKeeper::start(loop_, maps_, policy_map_, in_force_);
    if (!breakers)
        return fail(breakers.error());
    breakers_ = std::move(*breakers);
    return FlowKeeper::start(loop_, {maps_, policy_map_, in_force_, *sweeps_, breakers_->governor(),
                                     programs_.report_program()})
        .map([this](auto flows) {
            flows_ = std::move(flows);
            paths_ = PathKeeper::start(maps_, policy_map_, *sweeps_, store_file(options_));
            flows_->tell([this](const HalfOpenVerdict& verdict) { paths_->on_verdict(verdict); });
            in_force_.subscribe(*this);
        });
}

/// Counts what is there before the first refusal is possible, and once more what came in between.
Result<void> Daemon::attach() {
    heartbeat();
    return sweeps_->run_now(SweepExtent::full)
        .and_then([&] { return programs_.attach_admission(); })
        .and_then([&] { return sweeps_->run_now(SweepExtent::full); });
}

Result<void> Daemon::serve() {
    if (auto taken = take_signals(); !taken)
        return taken;
    auto watch = PolicyWatch::start(loop_, options_.config, [this] { (void)reload(); });
    if (!watch)
        return fail(watch.error());
    watch_ = std::move(*watch);
    auto server = api::Server::start(loop_.get(), *this,
                                     {.runtime_dir = options_.runtime_dir,
                                      .now = [] { return std::chrono::system_clock::now(); }});
    if (!server)
        return fail(server.error());
    server_ = std::move(*server);
    listen(*in_force_.now());
    auto second = loop_.timer([this] { on_second(); });
    if (!second)
        return fail(second.error());
    second_ = std::move(*second);
    second_.arm(heartbeat_interval);
    return loop_.feed_watchdog();
}

Result<void> Daemon::take_signals() {
    const auto take = [this](int signal, EventSource& into,
                             EventLoop::Callback callback) -> Result<void> {
        auto source = loop_.on_signal(signal, std::move(callback));
        if (!source)
            return fail(source.error());
        into = std::move(*source);
        return {};
    };
    return take(SIGTERM, on_term_, [this] { stop(); })
        .and_then([&] { return take(SIGINT, on_int_, [this] { stop(); }); })
        .and_then([&] { return take(SIGHUP, on_hup_, [this] { (void)reload(); }); });
}

Result<int> Daemon::run() {
    ::malloc_trim(0); // start-up needed far more than serving does
    const auto started = status();
    log::info("started version={} pid={} cgroup={} services={} adopted_pins={} sockets={}",
              started.version, started.pid, started.cgroup, started.services, started.adopted_pins,
              started.sweep.sockets);
    ::sd_notifyf(0, "READY=1\nSTATUS=%u services, %u destinations\nMAINPID=%u", started.services,
                 started.destinations, started.pid);
    auto code = loop_.run();
    ::sd_notify(0, "STOPPING=1");
    breakers_->undo();
    paths_->save();
    log::info("stopping; programs and counts stay pinned at {}", options_.bpffs_dir);
    return code;
}

void Daemon::heartbeat() {
    __atomic_store_n(&maps_.control->heartbeat_ns, static_cast<std::uint64_t>(monotonic().count()),
                     __ATOMIC_RELEASE);
}

void Daemon::on_second() {
    second_.arm(heartbeat_interval);
    heartbeat();
    if (hooks_.tick())
        sweep_softly();
    sweeps_->reclaim_pending();
    breakers_->tick();
    policy_->drop_expired(std::chrono::system_clock::now());
    in_force_.follow_kill_switch();
    const auto in_force = in_force_.now();
    timeouts_.follow(in_force->policy(), monotonic());
    report_limits();
    if (++seconds_ % seconds_between_recycling)
        return;
    if (std::exchange(trim_soon_, false))
        ::malloc_trim(0);
    const auto ttl = in_force->policy().daemon.destination_ttl;
    if (auto freed = recycler_.run(monotonic(), ttl); !freed)
        log::error("{}", freed.error().text());
    else if (*freed)
        log::debug("recycled {} destinations", *freed);
    recycle_consumers();
}

void Daemon::recycle_consumers() {
    const auto hierarchy = kernel::cgroup2_mount();
    if (!hierarchy || maps_.control->next_consumer <= 1)
        return;
    const auto freed = kernel::ConsumerRecycler(maps_, policy_map_, *hierarchy).run();
    if (!freed)
        log::error("{}", freed.error().text());
    else if (*freed)
        log::debug("recycled {} consumers", *freed);
}

void Daemon::report_limits() {
    std::vector<guards::LimitReading> readings;
    for (std::uint32_t index = 0; index < used(); ++index)
        if (const auto reading = read_limits(maps_.destinations[index], index);
            guards::sum(reading.refused) != 0 || guards::sum(reading.over_limit) != 0)
            readings.push_back(reading);
    const auto findings = limit_guard_.read(readings, std::chrono::steady_clock::now(),
                                            [this](std::uint32_t index) { return row_of(index); });
    for (const auto& finding : findings)
        log::warn("finding reason={} destination={} service={} {}", finding.reason,
                  finding.destination.text(), finding.service, finding.evidence);
}

/// What the [daemon] table asks for, and the counts that new limits need. The last of the readers.
void Daemon::changed(const PolicyInForce& now) {
    const DaemonOptions& wanted = now.policy().daemon;
    const auto grace = std::chrono::nanoseconds(wanted.daemon_grace).count();
    __atomic_store_n(&maps_.control->daemon_grace_ns, static_cast<std::uint64_t>(grace),
                     __ATOMIC_RELEASE);
    if (!server_)
        return; // attach() sweeps, serve() listens
    listen(now);
    sweep_softly();
}

void Daemon::sweep_softly() {
    if (auto swept = sweeps_->run_now(SweepExtent::paced); !swept)
        log::error("{}", swept.error().text());
}

void Daemon::listen(const PolicyInForce& now) {
    if (auto listening = server_->listen_tcp(now.policy().daemon.metrics_listen); !listening)
        log::error("{}", listening.error().text());
}

/// What DNS names resolve to has changed. False: it is not in force.
bool Daemon::take_answers() {
    const auto changed = policy_->refresh();
    if (!changed) {
        log::error("addresses of DNS names are not in force, tried again soon: {}",
                   changed.error().text());
        return false;
    }
    if (*changed)
        log::info("policy in force with new addresses of DNS names, generation={}",
                  in_force_.now()->generation());
    return true;
}

void Daemon::stop() {
    loop_.stop(0);
}

} // namespace ballast::app
