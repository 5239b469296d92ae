// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/daemon.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <numeric>
#include <span>
#include <tuple>
#include <utility>

#include <malloc.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "daemon/app/log.h"
#include "daemon/app/start_up.h"
#include "daemon/app/status_parts.h"
#include "daemon/app/version.h"
#include "daemon/config/policy_files.h"
#include "daemon/kernel/cgroup.h"
#include "daemon/kernel/consumer_recycler.h"
#include "daemon/kernel/flows.h"
#include "daemon/kernel/pinned.h"
#include "daemon/kernel/pins.h"

namespace ballast::app {

namespace {

constexpr std::chrono::seconds heartbeat_interval{1};
constexpr unsigned seconds_between_recycling = 10;

std::chrono::nanoseconds monotonic() {
    return std::chrono::steady_clock::now().time_since_epoch();
}

std::uint64_t sum(std::span<const __u64> counters) {
    return std::accumulate(counters.begin(), counters.end(), std::uint64_t{0});
}

/// What breakers turn away, they tell of themselves.
guards::LimitReading read_limits(const ballast_destination& destination, std::uint32_t index) {
    guards::LimitReading reading{.index = index, .refused = {}, .over_limit = {}};
    std::copy_n(destination.refused, guards::kLimitReasons, reading.refused.begin());
    std::copy_n(destination.over, guards::kLimitReasons, reading.over_limit.begin());
    return reading;
}

const char* name_of(BreakerForce force) {
    if (force == BreakerForce::none)
        return "none";
    return force == BreakerForce::open ? "open" : "closed";
}

} // namespace

Daemon::Daemon(Options options, EventLoop loop, kernel::Programs programs)
    : options_(std::move(options)), loop_(std::move(loop)), programs_(std::move(programs)),
      maps_(programs_.maps()), policy_map_(maps_), recycler_(maps_, policy_map_),
      in_force_(maps_, policy_map_), timeouts_(programs_),
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
    auto sweeps = SweepRunner::create(loop_, maps_, policy_map_, programs_.sweep_link());
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
    return sweeps_->run_now().and_then([&] { return programs_.attach_admission(); }).and_then([&] {
        return sweeps_->run_now();
    });
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
    keep_attached();
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

/// What was opened while a program was not attached is counted by the sweep.
void Daemon::keep_attached() {
    std::vector<std::string> lost;
    const auto before = hooks_reattached_;
    for (const auto& hook : programs_.reattach_lost()) {
        if (hook.error.empty()) {
            ++hooks_reattached_;
            log::warn(
                "finding reason=hook_reattached program={} conclusion=\"somebody detached it; "
                "it is attached again\"",
                hook.name);
            continue;
        }
        lost.push_back(hook.name);
        if (std::ranges::find(hooks_lost_, hook.name) == hooks_lost_.end())
            log::error("finding reason=hook_lost program={} conclusion=\"somebody detached it, and "
                       "it could not be attached again: {}\"",
                       hook.name, hook.error);
    }
    hooks_lost_ = std::move(lost);
    if (hooks_reattached_ == before)
        return;
    if (auto swept = sweeps_->run_now(); !swept)
        log::error("{}", swept.error().text());
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
    if (auto swept = sweeps_->run_now(); !swept)
        log::error("{}", swept.error().text());
}

void Daemon::listen(const PolicyInForce& now) {
    if (auto listening = server_->listen_tcp(now.policy().daemon.metrics_listen); !listening)
        log::error("{}", listening.error().text());
}

std::uint32_t Daemon::used() const {
    return std::min<std::uint32_t>(maps_.control->next_destination, BALLAST_MAX_DESTINATIONS);
}

DaemonStatus Daemon::status() {
    const auto in_force = in_force_.now();
    DaemonStatus status;
    status.version = version();
    status.abi_version = BALLAST_ABI_VERSION;
    status.kernel = kernel_release();
    status.cgroup = programs_.cgroup().path;
    status.bpffs = options_.bpffs_dir;
    status.started = started_;
    status.pid = static_cast<std::uint32_t>(::getpid());
    status.armed = in_force->is_armed();
    status.adopted_pins = programs_.adopted();
    status.limit_mode = in_force->policy().limit_mode;
    status.governor_dry_run = breakers_->is_dry_run();
    status.policy_file = policy_->file();
    status.policy_loaded = policy_->loaded();
    status.policy_generation = in_force->generation();
    status.policy_error = policy_->error();
    status.services = static_cast<std::uint32_t>(in_force->policy().services.size());
    status.destinations = recycler_.used();
    status.destinations_max = BALLAST_MAX_DESTINATIONS;
    for (std::uint32_t index = 0; index < used(); ++index)
        status.reservations += maps_.destinations[index].in_use & ~BALLAST_RETIRED;
    status.reservations_max = BALLAST_MAX_RESERVATIONS;
    status.hooks_lost = hooks_lost_;
    status.hooks_reattached = hooks_reattached_;
    const ballast_counters& counters = maps_.counters[0];
    status.fail_open = fail_open_of(counters);
    status.breaker_losses = breaker_losses_of(counters);
    status.keepalive = keepalive_of(counters, sweeps_->keepalive());
    status.half_open = flows_->status();
    status.sweep = sweeps_->status();
    return status;
}

DestinationRow Daemon::row_of(std::uint32_t index) {
    const ballast_destination& destination = maps_.destinations[index];
    DestinationRow row;
    std::ranges::copy(destination.address, row.endpoint.address.bytes.begin());
    row.endpoint.port = destination.port;
    row.service = policy_map_.service_name(destination.service);
    row.in_use = destination.in_use & ~BALLAST_RETIRED;
    row.admitted = destination.admitted;
    row.adopted = destination.adopted;
    row.refused = sum(destination.refused);
    row.over_limit = sum(destination.over);
    row.mode = Mode::off;
    if (const ballast_service* limit = policy_map_.limit(destination.service)) {
        row.mode = static_cast<Mode>(limit->mode);
        if (limit->max_connections != BALLAST_UNLIMITED)
            row.max_connections = limit->max_connections;
    }
    row.mode = in_force_.now()->allowed(row.mode);
    const auto drift = sweeps_->drift().find(index);
    row.drift = drift == sweeps_->drift().end() ? 0 : drift->second;
    if (const auto known = paths_->at(row.endpoint, destination.service))
        std::tie(row.survived, row.died, row.learned_in) =
            std::tie(known->survived, known->died, known->learned_in);
    return row;
}

std::vector<DestinationRow> Daemon::destinations() {
    std::vector<DestinationRow> rows;
    for (std::uint32_t index = 0; index < used(); ++index)
        if (maps_.destinations[index].service &&
            !(maps_.destinations[index].in_use & BALLAST_RETIRED))
            rows.push_back(row_of(index));
    return rows;
}

std::vector<PeerRow> Daemon::peers() {
    return sweeps_->peers();
}

FlowTable Daemon::flows() {
    const std::uint32_t hz = kernel::jiffies_per_second();
    const auto& met = sweeps_->flows();
    FlowTable table;
    trim_soon_ = true; // the rows are many and short-lived
    for (const auto& flow : met.rows)
        table.rows.push_back(kernel::to_row(flow, policy_map_.service_name(flow.service), hz));
    if (met.taken)
        table.age = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - *met.taken);
    table.left_out = met.left_out;
    return table;
}

Result<void> Daemon::sweep() {
    return sweeps_->run_now();
}

std::vector<Service> Daemon::services() {
    return in_force_.now()->policy().services;
}
std::vector<Override> Daemon::overrides() {
    return policy_->overrides();
}

Result<void> Daemon::put_override(Override wanted) {
    auto put = policy_->put_override(wanted);
    if (put)
        log::info("override set target={} by={}", wanted.target, wanted.set_by);
    return put;
}

Result<bool> Daemon::remove_override(const std::string& target) {
    auto removed = policy_->remove_override(target);
    if (removed && *removed)
        log::info("override removed target={}", target);
    return removed;
}

std::vector<BreakerRow> Daemon::breakers() {
    return breakers_->rows();
}

Result<void> Daemon::force_breaker(const BreakerOrder& order) {
    auto forced = breakers_->force(order);
    if (forced)
        log::info("breaker order destination={} force={} by={} reason=\"{}\"",
                  order.endpoint.text(), name_of(order.force), order.by, order.reason);
    return forced;
}

Explanation Daemon::explain(const Endpoint& endpoint,
                            const std::optional<std::string>& cgroup_path) {
    return ballast::explain(in_force_.now()->policy(), endpoint, cgroup_path);
}

Result<void> Daemon::reload() {
    ::sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
                 static_cast<long long>(monotonic().count() / 1000));
    if (watch_)
        watch_->watch(); // before reading, or a change in a new directory could slip between
    auto loaded = policy_->reload();
    if (loaded) {
        const auto in_force = in_force_.now();
        log::info("policy in force file={} services={} generation={}", policy_->file(),
                  in_force->policy().services.size(), in_force->generation());
    } else {
        log::error("policy refused, the one in force stays: {}", loaded.error().text());
    }
    ::sd_notify(0, "READY=1");
    return loaded;
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
