// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/daemon.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include <malloc.h>
#include <systemd/sd-daemon.h>

#include "daemon/app/clock.h"
#include "daemon/app/finding_log.h"
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
constexpr std::chrono::seconds longest_first_sweep{20};
/// The observer's turns are shorter than this unless a socket's lock is held.
constexpr std::chrono::seconds longest_stop{3};

std::chrono::nanoseconds monotonic() {
    return std::chrono::steady_clock::now().time_since_epoch();
}

/// Breakers report their own refusals.
guards::LimitReading reading_of(const Destination& destination) {
    guards::LimitReading reading{.index = destination.index, .refused = {}, .over_limit = {}};
    std::copy_n(destination.refused.begin(), guards::kLimitReasons, reading.refused.begin());
    std::copy_n(destination.over_limit.begin(), guards::kLimitReasons, reading.over_limit.begin());
    return reading;
}

} // namespace

Daemon::Daemon(Options options, EventLoop loop, kernel::Programs programs)
    : options_(std::move(options)), loop_(std::move(loop)), programs_(std::move(programs)),
      maps_(programs_.maps()), policy_map_(maps_), recycler_(maps_, policy_map_),
      pending_(maps_.reservations.all(), kernel::counts_of(maps_)), datapath_(maps_),
      destinations_(maps_), in_force_(maps_, policy_map_), findings_(both_clocks, log_finding),
      hooks_(programs_, findings_), timeouts_(programs_),
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
    if (daemon->stop_threads())
        daemon.reset(); // closes what is pinned, so that it can be removed
    else
        (void)daemon.release(); // the held thread uses it until the process ends
    if (!was_there)
        (void)kernel::unload(options.bpffs_dir, options.runtime_dir);
    return fail(up.error());
}

Result<void> Daemon::prepare(Store store) {
    for (const auto& notice : programs_.notices())
        log::warn("{}", notice);
    if (!store.notice().empty())
        log::warn("{}", store.notice());
    findings_.open(store_file(options_));
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
    auto writer = LoopThread::create("writer").and_then([this](auto thread) {
        writer_ = std::move(thread);
        return writer_->start();
    });
    if (!writer)
        return writer;
    auto breakers = BreakerKeeper::start(loop_, maps_, policy_map_, in_force_, findings_);
    if (!breakers)
        return fail(breakers.error());
    breakers_ = std::move(*breakers);
    auto observer = Observer::start({.maps = maps_,
                                     .services = policy_map_,
                                     .policy = in_force_,
                                     .governor = breakers_->governor(),
                                     .findings = findings_,
                                     .sweep_links = programs_.sweep_links(),
                                     .report_program = programs_.report_program(),
                                     .store_file = store_file(options_)});
    if (!observer)
        return fail(observer.error());
    observer_ = std::move(*observer);
    in_force_.subscribe(*observer_);
    in_force_.subscribe(*this);
    return {};
}

/// Counts existing connections before the first refusal is possible, then those opened meanwhile.
Result<void> Daemon::attach() {
    datapath_.beat(app::now());
    return sweep_at_start().and_then([&] { return programs_.attach_admission(); }).and_then([&] {
        return sweep_at_start();
    });
}

/// If a socket's lock is held for long, being up is worth more than a full count.
Result<void> Daemon::sweep_at_start() {
    const auto outcome =
        observer_->sweep_outcome(observer_->ask_for_sweep(SweepExtent::full), longest_first_sweep);
    if (outcome)
        return *outcome;
    log::error("connections that are there are not all counted yet: the sweep has not ended after "
               "{} s",
               longest_first_sweep.count());
    return {};
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
    log::info("stopping; programs and counts stay pinned at {}", options_.bpffs_dir);
    if (!stop_threads())
        std::_Exit(code.value_or(1));
    findings_.close();
    return code;
}

/// False: a thread is held, and with it this process's open files; what others wait on is closed.
bool Daemon::stop_threads() {
    const bool has_observer_ended = !observer_ || observer_->stop(longest_stop);
    if (has_observer_ended && (!writer_ || writer_->stop(longest_stop)))
        return true;
    log::error("leaving a thread behind that waits for {}; the process ends when that is over",
               has_observer_ended ? "the file system of " + options_.state_dir : "a socket's lock");
    server_.reset();
    return false;
}

/// The file system may be slow, and nobody waits for it.
void Daemon::save_findings() {
    if (writer_->busy_for().count() == 0)
        writer_->post([this] { findings_.save(); });
}

void Daemon::on_second() {
    second_.arm(heartbeat_interval);
    datapath_.beat(app::now());
    if (hooks_.tick())
        observer_->ask_for_sweep(SweepExtent::paced);
    observer_->tick();
    reclaim_pending();
    breakers_->tick();
    policy_->drop_expired(std::chrono::system_clock::now());
    in_force_.follow_kill_switch();
    const auto in_force = in_force_.now();
    timeouts_.follow(in_force->policy(), monotonic());
    report_limits();
    save_findings();
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
    if (!hierarchy)
        return;
    const auto freed = kernel::ConsumerRecycler(maps_, policy_map_, *hierarchy).run();
    if (!freed)
        log::error("{}", freed.error().text());
    else if (*freed)
        log::debug("recycled {} consumers", *freed);
}

void Daemon::report_limits() {
    std::vector<guards::LimitReading> readings;
    for (const auto& destination : destinations_.with_refusals())
        if (const auto reading = reading_of(destination);
            guards::sum(reading.refused) != 0 || guards::sum(reading.over_limit) != 0)
            readings.push_back(reading);
    auto found = limit_guard_.read(
        readings, now(), [this](std::uint32_t index) { return row_of(destinations_.at(index)); });
    for (auto& finding : found)
        findings_.add(std::move(finding));
}

/// Applies the [daemon] table and gets the counts that new limits need. The last of the readers.
void Daemon::changed(const PolicyInForce& now) {
    datapath_.set_grace(now.policy().daemon.daemon_grace);
    if (!server_)
        return; // attach() sweeps, serve() listens
    listen(now);
    observer_->ask_for_sweep(SweepExtent::paced);
}

void Daemon::reclaim_pending() {
    if (const auto released = pending_.reclaim(kernel::used(maps_), now()))
        log::debug("released {} reservations of connects that failed at once", released);
}

void Daemon::listen(const PolicyInForce& now) {
    if (auto listening = server_->listen_tcp(now.policy().daemon.metrics_listen); !listening)
        log::error("{}", listening.error().text());
}

/// DNS answers have changed. False: they are not in force.
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
