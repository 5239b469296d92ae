// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/daemon.h"

#include <cstdlib>
#include <utility>

#include <malloc.h>
#include <systemd/sd-daemon.h>

#include "daemon/app/finding_log.h"
#include "daemon/app/start_up.h"
#include "daemon/config/policy_files.h"
#include "daemon/kernel/pinned.h"
#include "daemon/kernel/pins.h"
#include "daemon/util/clock.h"
#include "daemon/util/log.h"

namespace ballast::app {

namespace {

constexpr unsigned seconds_between_recycling = 10;
constexpr std::chrono::seconds longest_first_sweep{20};
/// The observer's turns are shorter than this unless a socket's lock is held.
constexpr std::chrono::seconds longest_stop{3};

/// What has to be there before anything is loaded.
Result<Store> prepare_host(const Options& options) {
    const auto pins = kernel::inspect_pins(options.bpffs_dir);
    if (!pins)
        return fail(pins.error());
    const auto readable = load_policy(options.config);
    if (!readable && *pins != kernel::PinState::complete)
        return fail(readable.error());
    return make_directory(options.runtime_dir)
        .and_then([&] { return make_directory(options.state_dir); })
        .and_then([&] { return Store::open(store_file(options)); });
}

} // namespace

Daemon::Daemon(MainLoop main, std::unique_ptr<kernel::Instance> instance, std::string state_dir)
    : main_(std::move(main)), instance_(std::move(instance)),
      findings_(std::make_unique<FindingLog>()), hooks_(instance_->programs(), findings_),
      state_dir_(std::move(state_dir)) {}

Result<std::unique_ptr<Daemon>> Daemon::start(const Options& options) {
    auto store = prepare_host(options);
    if (!store)
        return fail(store.error());
    auto main = MainLoop::create();
    if (!main)
        return fail(main.error());
    auto instance = kernel::Instance::load({.bpffs_dir = options.bpffs_dir,
                                            .runtime_dir = options.runtime_dir,
                                            .cgroup = options.cgroup});
    if (!instance)
        return fail(why_not_loaded(instance.error(), options.cgroup));
    std::unique_ptr<Daemon> daemon(
        new Daemon(std::move(*main), std::move(*instance), options.state_dir));
    auto up = daemon->prepare(options, std::move(*store))
                  .and_then([&] { return daemon->attach(); })
                  .and_then([&] { return daemon->serve(options); });
    if (up)
        return daemon;
    const bool was_there = daemon->instance_->programs().adopted();
    if (daemon->stop_threads())
        daemon.reset(); // closes what is pinned, so that it can be removed
    else
        (void)daemon.release(); // the held thread uses it until the process ends
    if (!was_there)
        (void)kernel::unload(options.bpffs_dir, options.runtime_dir);
    return fail(up.error());
}

Result<void> Daemon::prepare(const Options& options, Store store) {
    const auto file = store_file(options);
    for (const auto& notice : instance_->programs().notices())
        log::warn("{}", notice);
    if (!store.notice().empty())
        log::warn("{}", store.notice());
    findings_.open(file);
    if (auto freed = instance_->resume(); !freed)
        log::warn("{}", freed.error().text());
    if (auto writing = findings_.start_writer(); !writing)
        return writing;
    policy_ = std::make_unique<policy::PolicyControl>(
        main_.loop(), *instance_, options.config,
        std::make_unique<policy::PolicyStore>(std::move(store), file, findings_.writer()));
    auto observer = policy_->start().and_then(
        [&] { return observe::Observer::create(*instance_, policy_->publisher()); });
    if (!observer)
        return fail(observer.error());
    observer_ = std::move(*observer);
    auto guards = guards::Guards::make({.main = main_.loop(),
                                        .observer = observer_->loop(),
                                        .writer = findings_.writer(),
                                        .instance = *instance_,
                                        .policy = policy_->publisher(),
                                        .findings = findings_,
                                        .store_file = file,
                                        .runtime_dir = options.runtime_dir});
    if (!guards)
        return fail(guards.error());
    guards_ = std::move(*guards);
    policy_->publisher().subscribe(*guards_);
    auto started = observer_->start(guards_->observing());
    policy_->publisher().subscribe(*this);
    return started;
}

/// Counts existing connections before the first refusal is possible, then those opened meanwhile.
Result<void> Daemon::attach() {
    instance_->datapath().beat(now());
    return sweep_at_start()
        .and_then([&] { return instance_->programs().attach_admission(); })
        .and_then([&] { return sweep_at_start(); });
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

Result<void> Daemon::serve(const Options& options) {
    auto begun = main_.begin([this] { on_second(); }, [this] { (void)policy_->reload(); },
                             [this] { main_.loop().stop(0); });
    if (!begun)
        return begun;
    if (auto watched = policy_->watch(); !watched)
        return watched;
    auto api = ApiService::start({.loop = main_.loop(),
                                  .instance = *instance_,
                                  .hooks = hooks_,
                                  .policy = *policy_,
                                  .guards = *guards_,
                                  .observer = *observer_,
                                  .findings = findings_},
                                 options);
    if (!api)
        return fail(api.error());
    api_ = std::move(*api);
    api_->follow(policy_->publisher().now()->policy());
    return {};
}

Result<int> Daemon::run() {
    ::malloc_trim(0); // start-up needed far more than serving does
    const auto started = api_->backend().status();
    log::info("started version={} pid={} cgroup={} services={} adopted_pins={} sockets={}",
              started.version, started.pid, started.cgroup, started.services, started.adopted_pins,
              started.sweep.sockets);
    ::sd_notifyf(0, "READY=1\nSTATUS=%u services, %u destinations\nMAINPID=%u", started.services,
                 started.destinations, started.pid);
    auto code = main_.loop().run();
    ::sd_notify(0, "STOPPING=1");
    guards_->stop();
    log::info("stopping; programs and counts stay pinned at {}", started.bpffs);
    if (!stop_threads())
        std::_Exit(code.value_or(1));
    findings_.close();
    return code;
}

/// False: a thread is held, and with it this process's open files; what others wait on is closed.
bool Daemon::stop_threads() {
    const bool has_observer_ended = !observer_ || observer_->stop(longest_stop);
    if (has_observer_ended && findings_.stop_writer(longest_stop))
        return true;
    log::error("leaving a thread behind that waits for {}; the process ends when that is over",
               has_observer_ended ? "the file system of " + state_dir_ : "a socket's lock");
    if (api_)
        api_->close();
    return false;
}

void Daemon::on_second() {
    main_.arm();
    instance_->datapath().beat(now());
    if (hooks_.tick())
        observer_->ask_for_sweep(SweepExtent::paced);
    observer_->tick();
    if (const auto released = instance_->reclaim(now()))
        log::debug("released {} reservations of connects that failed at once", released);
    policy_->tick();
    guards_->wake();
    findings_.save_soon();
    if (++seconds_ % seconds_between_recycling == 0)
        recycle();
}

void Daemon::recycle() {
    api_->backend().trim();
    const auto ttl = policy_->publisher().now()->policy().daemon.destination_ttl;
    const auto done = instance_->recycle(now(), ttl);
    for (const auto& failure : done.failures)
        log::error("{}", failure.text());
    if (done.destinations || done.consumers)
        log::debug("recycled {} destinations, {} consumers", done.destinations, done.consumers);
}

/// Applies the [daemon] table.
void Daemon::changed(const PolicyInForce& now) {
    instance_->datapath().set_grace(now.policy().daemon.daemon_grace);
    if (api_) // serve() listens
        api_->follow(now.policy());
}

} // namespace ballast::app
