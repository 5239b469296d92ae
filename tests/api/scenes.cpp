// SPDX-License-Identifier: Apache-2.0
#include "tests/api/scenes.h"

namespace ballast::test {
namespace {

using namespace std::chrono_literals;

Endpoint at(std::string_view text) {
    return parse_endpoint(text).value();
}

Target to(std::string_view text) {
    return parse_target(text).value();
}

DaemonStatus calm_status() {
    DaemonStatus status;
    status.version = "0.1.0";
    status.abi_version = 1;
    status.kernel = "6.1.0-18-amd64";
    status.cgroup = "/sys/fs/cgroup";
    status.bpffs = "/sys/fs/bpf/ballast";
    status.started = scene_now() - 3h - 12min - 30s;
    status.pid = 4242;
    status.limit_mode = Mode::observe;
    status.policy_file = "/etc/ballast/policy.toml";
    status.policy_loaded = scene_now() - 12min;
    status.policy_generation = 3;
    status.services = 2;
    status.destinations = 2;
    status.destinations_max = 65536;
    status.reservations = 21;
    status.reservations_max = 262144;
    status.findings.kept = 7;
    status.sweep = {.sweeps = 2310,
                    .last_cpu = 4'200us,
                    .interval = 5'000ms,
                    .sockets = 38,
                    .time_wait = 12,
                    .namespaces = 1,
                    .namespaces_visited = 1};
    return status;
}

DaemonStatus night_status() {
    DaemonStatus status = calm_status();
    status.adopted_pins = true;
    status.limit_mode = Mode::enforce;
    status.services = 7;
    status.destinations = 7;
    status.reservations = 121;
    status.policy_error =
        "/etc/ballast/policy.toml:12: service.orders-db.max_connections: 0 is out "
        "of range; wanted 1..1000000";
    status.counters[Counter::daemon_silent] = 17;
    status.counters[Counter::destinations_full] = 3;
    status.counters[Counter::rate_contended] = 5;
    status.counters[Counter::timeouts_failed] = 6;
    status.counters[Counter::trips_withheld] = 2;
    status.half_open.suspects = 3;
    status.half_open.suspected = 40;
    const auto verdicts = [&](HalfOpenKind kind) -> std::uint64_t& {
        return status.half_open.verdicts.at(static_cast<std::size_t>(kind));
    };
    verdicts(HalfOpenKind::silently_dropped) = 12;
    verdicts(HalfOpenKind::refused_late) = 1;
    status.half_open.reset = 4;
    status.half_open.reset_waiting = 2;
    status.counters[Counter::suspicions_lost] = 7;
    status.keepalive = {.kept_alive = 31, .wanted = 5};
    status.counters[Counter::keepalives_failed] = 2;
    status.findings.made.at(static_cast<std::size_t>(findings::Reason::breaker_opened)) = 2;
    status.findings.made.at(static_cast<std::size_t>(findings::Reason::breaker_closed)) = 3;
    status.findings.made.at(static_cast<std::size_t>(findings::Reason::hook_lost)) = 1;
    status.findings.coalesced = 1;
    status.findings.kept = 1'044;
    status.findings.unsaved = 1;
    status.findings.left_out = 6;
    status.findings.owners_skipped = 4;
    status.findings.lost = 2;
    status.findings.saves_failed = 9;
    status.sweep.drift = 1;
    status.sweep.repairs = 2;
    status.sweep.sockets = 4'917;
    status.sweep.namespaces = 3;
    status.sweep.namespaces_visited = 3;
    return status;
}

std::vector<DestinationRow> calm_destinations() {
    return {
        {at("10.0.0.5:5432"), "orders-db", Mode::observe, 20, 12, 20431, 3, 0, 0, 0},
        {at("10.0.0.7:6379"), "cache", Mode::observe, 50, 9, 811, 9, 0, 0, 0},
    };
}

std::vector<DestinationRow> night_destinations() {
    const auto none = std::nullopt;
    return {
        {at("10.0.0.5:5432"), "orders-db", Mode::enforce, 10, 10, 20431, 3, 431, 0, 0, 312s, 347s},
        {at("10.0.0.7:6379"), "cache", Mode::observe, 50, 64, 902, 60, 0, 17, 0},
        {at("[2001:db8::9]:9200"), "search", Mode::enforce, 40, 37, 5120, 0, 0, 0, 0},
        {at("192.0.2.10:443"), "payments", Mode::enforce, 20, 3, 77, 0, 0, 0, 0},
        {at("10.0.0.8:8443"), "reports", Mode::observe, none, 5, 64, 0, 0, 0, 0, 58s, 347s,
         parse_prefix("10.0.0.0/24").value()},
        {at("10.0.0.9:6514"), "audit", Mode::enforce, 5, 2, 9, 0, 0, 0, 1},
        {at("198.51.100.25:587"), "mail", Mode::enforce, 4, 0, 12, 0, 0, 0, 0},
    };
}

std::vector<PeerRow> calm_peers() {
    return {
        {at("10.0.0.5:5432"), "orders-db", 12, 12, 0, 0, 0, 640, 31'000},
        {at("10.0.0.7:6379"), "cache", 9, 9, 0, 0, 0, 210, 1'500},
        {at("203.0.113.80:443"), "", 4, 3, 0, 1, 0, 18'400, 65'000},
    };
}

std::vector<PeerRow> night_peers() {
    return {
        {at("10.0.0.5:5432"), "orders-db", 10, 10, 0, 0, 0, 640, 31'000},
        {at("10.0.0.7:6379"), "cache", 64, 61, 0, 3, 0, 210, 1'500},
        {at("[2001:db8::9]:9200"), "search", 37, 37, 0, 0, 0, 1'900, 12'000},
        {at("192.0.2.10:443"), "payments", 3, 0, 3, 0, 3, 0, 4'100},
        {at("10.0.0.8:8443"), "reports", 5, 5, 0, 0, 2, 12'600, 912'000},
        {at("10.0.0.9:6514"), "audit", 1, 1, 0, 0, 0, 850, 250},
        {at("203.0.113.80:443"), "", 12, 11, 0, 1, 0, 18'400, 65'000},
        {at("10.0.0.2:22"), "", 1, 1, 0, 0, 0, 120'500, 190'000'000},
    };
}

FlowRow flow(std::string_view local, std::string_view remote, Direction direction,
             std::string_view state, std::string_view service) {
    FlowRow row;
    row.local = at(local);
    row.remote = at(remote);
    row.direction = direction;
    row.state = state;
    row.service = service;
    row.reserved = !service.empty();
    row.netns = 4026531840;
    return row;
}

FlowRow measured(FlowRow row, std::uint64_t cookie, std::uint32_t rtt_us, std::uint32_t idle_ms,
                 std::uint8_t retransmits = 0) {
    row.cookie = cookie;
    row.rtt_us = rtt_us;
    row.idle_ms = idle_ms;
    row.retransmits = retransmits;
    return row;
}

FlowRow kept_alive(FlowRow row, KeepaliveSetter by, std::uint32_t idle_s) {
    row.keepalive = {.on = by != KeepaliveSetter::kernel,
                     .set_by = by,
                     .lack = by == KeepaliveSetter::kernel ? KeepaliveLack::leave
                                                           : KeepaliveLack::nothing,
                     .count = 9,
                     .idle_s = idle_s,
                     .interval_s = 10};
    return row;
}

std::vector<FlowRow> busy_flows() {
    constexpr auto out = Direction::outbound;
    return {
        kept_alive(measured(flow("10.0.0.1:41000", "10.0.0.5:5432", out, "ESTAB", "orders-db"),
                            8123, 640, 31'000),
                   KeepaliveSetter::ballast, 57),
        kept_alive(measured(flow("10.0.0.1:41002", "10.0.0.5:5432", out, "ESTAB", "orders-db"),
                            8124, 655, 20),
                   KeepaliveSetter::application, 30),
        measured(flow("10.0.0.1:50100", "192.0.2.10:443", out, "SYN-SENT", "payments"), 9001, 0,
                 4'100, 2),
        kept_alive(measured(flow("10.0.0.1:38822", "10.0.0.8:8443", out, "ESTAB", "reports"), 7000,
                            12'600, 912'000, 7),
                   KeepaliveSetter::kernel, 7200),
        measured(flow("[2001:db8::1]:39000", "[2001:db8::9]:9200", out, "ESTAB", "search"), 8801,
                 1'900, 12'000),
        measured(flow("10.0.0.1:44444", "203.0.113.80:443", out, "CLOSE-WAIT", ""), 0, 18'400,
                 65'000),
        measured(flow("10.0.0.1:443", "198.51.100.7:51234", Direction::inbound, "ESTAB", ""), 9100,
                 42'000, 3'250),
    };
}

KeptFinding finding(std::uint64_t id, std::chrono::milliseconds ago, findings::Reason reason,
                    std::string_view destination, std::string_view service) {
    KeptFinding made;
    made.id = id;
    made.at = made.last = scene_now() - ago;
    made.what.reason = reason;
    if (!destination.empty())
        made.what.destination = at(destination);
    made.what.service = service;
    return made;
}

KeptFinding half_open_finding() {
    KeptFinding made =
        finding(1041, 13min, findings::Reason::half_open_flow, "10.0.0.5:5432", "orders-db");
    made.what.kind = "silently_dropped";
    made.what.netns = 4026531840;
    made.what.tcp_state = "ESTAB";
    made.what.owner = {2301, "java", "orders.service"};
    made.what.acted = true;
    made.what.evidence = "kind=silently_dropped mode=enforce act=reset side=client flows=1 "
                         "silent_ms=351204 tries=3 in_flight=1 others=9 others_alive=4 "
                         "netns=4026531840 flow=10.0.0.1:41002->10.0.0.5:5432";
    return made;
}

std::vector<KeptFinding> night_findings() {
    using findings::Reason;
    KeptFinding refusing =
        finding(1038, 40min, Reason::limit_refusing, "10.0.0.5:5432", "orders-db");
    refusing.what.acted = true;
    refusing.what.evidence =
        "in_use=10 max_connections=10 refused=431 refused_by_limit=431 admitted_over=0";
    KeptFinding opened =
        finding(1040, 14min + 1500ms, Reason::breaker_opened, "192.0.2.10:443", "payments");
    opened.what.acted = true;
    opened.what.evidence = "mode=enforce timed_out=5 last_error=ETIMEDOUT for_ms=5200 level=1";
    KeptFinding again =
        finding(1042, 12min, Reason::breaker_reopened, "192.0.2.10:443", "payments");
    again.what.acted = true;
    again.coalesced = 3;
    again.last = again.at + 9s;
    again.what.evidence = "mode=enforce last_error=ETIMEDOUT for_ms=1100 level=2";
    KeptFinding hook = finding(1043, 2min, Reason::hook_reattached, "", "");
    hook.what.kind = "connect4";
    hook.what.acted = true;
    hook.what.evidence =
        "program=connect4 conclusion=\"somebody detached it; it is attached again\"";
    KeptFinding closed = finding(1044, 30s, Reason::breaker_closed, "[2001:db8::9]:9200", "search");
    closed.what.evidence = "mode=enforce";
    return {refusing, opened, half_open_finding(), again, hook, closed};
}

Service service(std::string name, std::vector<Target> targets, std::optional<std::uint32_t> limit,
                OnLimit on_limit, Mode mode, std::string origin) {
    Service made;
    made.name = std::move(name);
    made.to = std::move(targets);
    made.max_connections = limit;
    made.on_limit = on_limit;
    made.mode = mode;
    made.origin = std::move(origin);
    return made;
}

/// A shared database as it is to be kept from one consumer that takes all of it.
Service shared_database() {
    Service made = service("shared-db", {to("10.0.0.0/24:5432"), to("10.0.9.4:5432")}, 50,
                           OnLimit::refused, Mode::enforce, "/etc/ballast/policy.d/shared.toml:1");
    made.to_names = {parse_named_target("db.internal:5432").value()};
    made.resolved = {{to("10.0.9.4:5432"), "db.internal"}};
    made.from = {"batch-*.service", "/system.slice/report.service"};
    made.max_connections_total = 80;
    made.max_per_consumer = 20;
    made.max_connect_rate = 100;
    made.burst = 200;
    made.connect_timeout = 2s;
    made.breaker.mode = Mode::enforce;
    made.breaker.slow_connect = 500ms;
    return made;
}

std::vector<Service> busy_services() {
    const std::string file = "/etc/ballast/policy.toml:";
    return {
        service("orders-db", {to("10.0.0.5:5432")}, 10, OnLimit::refused, Mode::enforce,
                "override by root (uid 0) at 2024-05-01T04:41:07Z"),
        service("cache", {to("10.0.0.0/24:6379")}, 50, OnLimit::again, Mode::observe, file + "9"),
        service("search",
                {to("[2001:db8::]/64:9200"), to("10.0.3.1:9200"), to("10.0.3.2:9200"),
                 to("10.0.3.3:9200-9299")},
                40, OnLimit::refused, Mode::enforce, file + "15"),
        service("reports", {to("10.0.0.8")}, std::nullopt, OnLimit::unreachable, Mode::observe,
                file + "22"),
        shared_database(),
    };
}

BreakerRow breaker(std::string_view endpoint, std::string service, Mode mode, BreakerState state) {
    BreakerRow made;
    made.endpoint = at(endpoint);
    made.service = std::move(service);
    made.mode = mode;
    made.state = state;
    return made;
}

void count_failures(BreakerRow& row, Failure kind, std::uint32_t failures, std::string error) {
    row.failures.at(static_cast<std::size_t>(kind)) = failures;
    row.last_error = std::move(error);
}

BreakerRow open_breaker() {
    BreakerRow row = breaker("192.0.2.10:443", "payments", Mode::enforce, BreakerState::open);
    row.since = 1'800ms;
    row.until = 3'400ms;
    row.level = 1;
    row.opened = 2;
    row.refused = 4'711;
    count_failures(row, Failure::refused, 1, "ECONNREFUSED");
    count_failures(row, Failure::timed_out, 5, "ETIMEDOUT");
    return row;
}

BreakerRow observed_breaker() {
    BreakerRow row = breaker("10.0.0.8:8443", "reports", Mode::observe, BreakerState::open);
    row.since = 61s;
    row.until = 0ms;
    row.level = 4;
    row.opened = 5;
    row.would_refuse = 128;
    count_failures(row, Failure::reset, 12, "ECONNRESET");
    return row;
}

BreakerRow ramping_breaker() {
    BreakerRow row = breaker("[2001:db8::9]:9200", "search", Mode::enforce, BreakerState::ramp);
    row.since = 2'500ms;
    row.until = 7'500ms;
    row.opened = 1;
    row.refused = 903;
    row.last_error = "EHOSTUNREACH";
    return row;
}

BreakerRow probed_breaker() {
    BreakerRow row = breaker("10.0.0.9:6514", "audit", Mode::enforce, BreakerState::half_open);
    row.since = 40ms;
    row.until = 960ms;
    row.opened = 1;
    row.refused = 12;
    count_failures(row, Failure::unreachable, 6, "ENETUNREACH");
    return row;
}

BreakerRow held_breaker() {
    BreakerRow row = breaker("10.0.0.5:5432", "orders-db", Mode::enforce, BreakerState::closed);
    row.withheld = 1;
    row.forced = BreakerForce::closed;
    row.forced_by = "root (uid 0)";
    row.forced_reason = "fail-over under way";
    row.forced_for = 600s;
    count_failures(row, Failure::timed_out, 3, "ETIMEDOUT");
    return row;
}

BreakerRow closed_breaker() {
    BreakerRow row = breaker("10.0.0.7:6379", "cache", Mode::observe, BreakerState::closed);
    count_failures(row, Failure::slow, 2, "");
    return row;
}

} // namespace

WallTime scene_now() {
    return WallTime(1'714'539'600s);
}

DaemonStatus scene_status(Scene scene) {
    DaemonStatus status = scene == Scene::night ? night_status() : calm_status();
    status.ports = scene_ports_status(scene);
    status.listeners = scene_listeners_status(scene);
    status.shed = scene_shed(scene);
    if (scene == Scene::night)
        return status;
    if (scene == Scene::empty)
        status.services = status.destinations = 0;
    if (scene == Scene::empty)
        status.reservations = 0;
    status.armed = scene != Scene::disarmed;
    status.governor_dry_run = scene == Scene::dry_run;
    if (scene == Scene::dry_run)
        status.counters[Counter::trips_withheld] = 4;
    return status;
}

std::vector<BreakerRow> scene_breakers(Scene scene) {
    if (scene != Scene::night)
        return {};
    return {closed_breaker(),   held_breaker(),   ramping_breaker(),
            observed_breaker(), probed_breaker(), open_breaker()};
}

std::vector<KeptFinding> scene_findings(Scene scene) {
    return scene == Scene::night ? night_findings() : std::vector<KeptFinding>{};
}

std::vector<DestinationRow> scene_destinations(Scene scene) {
    if (scene == Scene::empty)
        return {};
    return scene == Scene::night ? night_destinations() : calm_destinations();
}

std::vector<PeerRow> scene_peers(Scene scene) {
    if (scene == Scene::empty)
        return {};
    return scene == Scene::night ? night_peers() : calm_peers();
}

std::vector<FlowRow> scene_flows(Scene scene) {
    return scene == Scene::empty ? std::vector<FlowRow>{} : busy_flows();
}

std::vector<Service> scene_services(Scene scene) {
    return scene == Scene::empty ? std::vector<Service>{} : busy_services();
}

std::vector<Override> scene_overrides(Scene scene) {
    if (scene == Scene::empty)
        return {};
    Override one;
    one.target = "orders-db";
    one.max_connections = 10;
    one.mode = Mode::enforce;
    one.set_by = "root (uid 0)";
    one.set_at = scene_now() - 18min - 53s;
    return {one};
}

} // namespace ballast::test
