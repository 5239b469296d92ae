// SPDX-License-Identifier: Apache-2.0
// Promise: keepalive `auto` learns a path's timeout where idle connections die of it, and only
// there: not where all die at once, not from a proxy on this host, and no gap that was lived
// through makes it wait longer than the policy allows.
#include "tests/e2e/kept_alive.h"
#include "tests/e2e/walled.h"
#include "tests/harness/group.h"

#include "daemon/store/bound_store.h"
#include "daemon/store/store.h"

#include <filesystem>

#include <netinet/tcp.h>
#include <poll.h>

namespace test_keepalive_learning {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr int wall_forgets_s = 6;
constexpr long forgotten_ms = 8500;
constexpr auto slow = std::chrono::seconds(60);

std::string walled_policy(const std::string& keepalive = "mode = \"observe\"",
                          const std::string& more = {}) {
    return policy({{.to = beyond_the_wall, .mode = "observe"}}) +
           fmt::format("{}[service.keepalive]\n{}\n", more, keepalive);
}

struct Walled {
    Wall& wall;
    Ballastd& ballastd;
    Listener& listener;

    [[nodiscard]] Json known(const std::string& key) const {
        return ballastd.row(listener.dest(), "test").at(key);
    }
    [[nodiscard]] bool has_died() const { return !known("idle_died_ms").is_null(); }
};

Walled walled(const Family& family, const std::string& late = "drop",
              const std::string& policy_text = walled_policy()) {
    auto& wall = make<Wall>();
    wall.stand(wall_forgets_s, late);
    auto& ballastd = start_ballastd(policy_text);
    return {wall, ballastd, listen(wall, family)};
}

using Others = std::vector<const Through*>;

/// `busy` live meanwhile, and a sweep is made each second.
void sweep_while(const Walled& place, const Others& busy, const std::function<bool()>& holds,
                 std::string_view what, std::chrono::milliseconds at_most = slow) {
    Talk talk(busy);
    const auto lives_and_holds = [&] {
        check(talk.goes_on(), "the other connections live");
        return holds();
    };
    if (!wait_until(place.ballastd.sweeping(lives_and_holds), patience(at_most)))
        fail_test(fmt::format("waited in vain for {}", what));
    check(talk.end(), "the other connections lived");
}

void pass_time(const Walled& place, std::chrono::seconds time, const Others& busy = {}) {
    const auto began = Clock::now();
    sweep_while(
        place, busy, [&] { return Clock::now() - began > time; }, "time to pass", 2 * time);
}

void let_idle(const Walled& place, const Fd& client, const Others& busy = {}) {
    sweep_while(
        place, busy, [&] { return silent_ms(client) > forgotten_ms; }, "silence");
}

/// A14. Ten clients; all are reset, and connect again.
void learns_from_resets_in_one_round(const Family& family) {
    const auto place = walled(family, "meta l4proto tcp reject with tcp reset");
    Others clients;
    for (int i = 0; i < 10; ++i)
        clients.push_back(&through(place.wall, place.listener));
    let_idle(place, clients.back()->client);
    for (const auto* pair : clients) {
        say(pair->client);
        check(wait_fd(pair->client.get(), POLLIN | POLLERR, Clock::now() + patience()), "RST");
        through(place.wall, place.listener);
    }
    sweep_while(
        place, {}, [&] { return place.has_died(); }, "the timeout to be learned");
    const auto died = place.known("idle_died_ms").get<long>();
    note(fmt::format("died after {} ms", died));
    check(died >= wall_forgets_s * 1000, "not less than the firewall tolerates");
}

/// A14. The probe is all that the connection sends.
void finds_a_reset_to_a_probe(const Family& family) {
    const auto place = walled(family, "meta l4proto tcp reject with tcp reset");
    const auto& pair = through(place.wall, place.listener);
    set_option(pair.client, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(pair.client, IPPROTO_TCP, TCP_KEEPIDLE, wall_forgets_s + 2);
    sweep_while( // or it would pass for one that was in use
        place, {}, [&] { return wait_fd(pair.client.get(), POLLIN | POLLERR, Clock::now()); },
        "RST");
    await([&] { return place.ballastd.log().find("kind=refused_late") != std::string::npos; },
          "the finding");
    sweep_while(
        place, {}, [&] { return place.has_died(); }, "the timeout to be learned");
}

/// A6, A7. As a backend behind a virtual address that dies, or a firewall that loses its table:
/// idle ones and those in use die together, while the destination answers.
void a_mass_loss_teaches_nothing(const Family& family) {
    const auto place = walled(family);
    place.wall.stand(100'000);
    Others busy, dead;
    for (int i = 0; i < 2; ++i)
        busy.push_back(&through(place.wall, place.listener));
    for (int i = 0; i < 3; ++i) {
        dead.push_back(&through(place.wall, place.listener));
        pass_time(place, std::chrono::seconds(3), busy);
    }
    dead.push_back(&through(place.wall, place.listener)); // in use
    for (const auto* pair : dead)
        place.wall.cut(pair->client, Way::both);
    for (const auto* pair : dead)
        say(pair->client);
    sweep_while(
        place, busy,
        [&] { return place.ballastd.log().find("kind=silently_dropped") != std::string::npos; },
        "the finding");
    pass_time(place, std::chrono::seconds(36), busy);
    check(!place.has_died(), "no timeout is learned: " + place.known("idle_died_ms").dump());
}

/// A21. It writes, gives up after four seconds, and connects again, which works; then it is idle.
void a_single_connection_teaches(const Family& family) {
    const auto place = walled(family);
    auto first = attempt(place.wall.link().client, place.listener.dest());
    const auto server = place.listener.accept();
    let_idle(place, first.socket);
    say(first.socket);
    check(!wait_fd(first.socket.get(), POLLIN, Clock::now() + std::chrono::seconds(4)),
          "no answer comes");
    first.socket.reset();
    const auto& second = through(place.wall, place.listener);
    check(exchange(second), "a reconnect at once works");
    sweep_while(
        place, {}, [&] { return place.has_died(); }, "the timeout to be learned");
    note(fmt::format("died after {} ms", place.known("idle_died_ms").get<long>()));
}

/// A21. The same while the path is out: the reconnect has to wait for the path, too.
void an_outage_with_a_single_connection_teaches_nothing(const Family& family) {
    const auto place = walled(family);
    place.wall.stand(100'000);
    auto first = attempt(place.wall.link().client, place.listener.dest());
    const auto server = place.listener.accept();
    let_idle(place, first.socket);
    place.wall.shut();
    say(first.socket);
    check(!wait_fd(first.socket.get(), POLLIN, Clock::now() + std::chrono::seconds(4)),
          "no answer comes");
    first.socket.reset();
    auto second = tcp_socket(place.wall.link().client, family.domain, SOCK_NONBLOCK);
    check_errno(connect_errno(second, place.listener.dest()), EINPROGRESS, "connect()");
    pass_time(place, std::chrono::seconds(5));
    place.wall.open();
    check_errno(connect_result(second), 0, "once the path is back");
    pass_time(place, std::chrono::seconds(20));
    check(!place.has_died(), "no timeout is learned: " + place.known("idle_died_ms").dump());
}

/// What a daemon had learned: silences of ten minutes.
void remember_survived(const Ballastd& ballastd, const Dest& dest) {
    const auto file = std::filesystem::path(ballastd.state_dir()) / "ballast.db";
    std::filesystem::create_directories(file.parent_path());
    { auto store = Store::open(file); }
    auto bounds = BoundStore::open(file);
    need(bounds.has_value(), "BoundStore::open");
    constexpr std::int64_t hour_ms = 3'600'000;
    const guards::IdleBoundState state{
        .survived_ms = 600'000, .survived_age_ms = 1, .first_age_ms = hour_ms};
    const PathKey path(Endpoint{*parse_address(dest.host), dest.port});
    need(bounds->put({{path, std::chrono::system_clock::now(), state}}, {}).has_value(), "put");
}

/// A15. An answered probe shows that this host's packets pass, not that a notification would: that
/// may have another timeout, which the probe re-opens.
void waits_no_longer_than_the_policy_allows(const Family& family) {
    auto& wall = make<Wall>();
    wall.stand(100'000);
    auto& listener = listen(wall, family);
    auto& ballastd = make<Ballastd>(walled_policy("mode = \"enforce\""));
    remember_survived(ballastd, listener.dest());
    ballastd.start();
    const auto idle_of_a_new_one = [&] {
        const auto& pair = through(wall, listener);
        ballastd.sweep();
        ballastd.sweep();
        check_equal(ballastd.row(listener.dest(), "test").at("idle_survived_ms").get<long>() / 1000,
                    599L, "seconds survived");
        return keepalive_of(pair.client).idle_s;
    };
    const int idle = idle_of_a_new_one();
    check(idle <= 60, fmt::format("idle time {} s without keepalive_max", idle));
    ballastd.enforce(walled_policy("mode = \"enforce\"", "keepalive_max = \"5m\"\n"));
    const int longer = idle_of_a_new_one();
    check(longer > 200 && longer <= 300, fmt::format("idle time {} s with 5m", longer));
}

/// A17. As a transparent proxy: the client's socket shows an address beyond the wall.
void a_proxy_on_this_host_teaches_nothing(const Family& family) {
    const auto place = walled(family);
    place.wall.stand(100'000);
    const auto& client = place.wall.link().client;
    auto& proxy = make<Listener>(client, Dest{family.domain == AF_INET ? "0.0.0.0" : "::", 0});
    const auto file = make_temp_dir() + "/redirect";
    constexpr std::uint16_t redirected = 7777;
    write_file(file, fmt::format("table inet proxy {{\n"
                                 "  chain out {{\n"
                                 "    type nat hook output priority -100;\n"
                                 "    tcp dport {} redirect to :{}\n"
                                 "  }}\n"
                                 "}}\n",
                                 redirected, proxy.dest().port));
    client.exec({"nft", "-f", file});
    const Dest dest{family.server, redirected};
    auto made = attempt(client, dest);
    check_errno(made.error, 0, "connect() to the proxy");
    const Through proxied{std::move(made.socket), proxy.accept()};
    const auto& direct = through(place.wall, place.listener);
    check(exchange(proxied), "by the proxy");
    sweep_while(
        place, {},
        [&] {
            if (silent_ms(proxied.client) > 3500)
                check(exchange(proxied) && exchange(direct), "both live");
            return !place.known("idle_survived_ms").is_null();
        },
        "the direct one to teach"); // once a sweep came between two words
    check(place.ballastd.row(dest, "test").at("idle_survived_ms").is_null(),
          "nothing is known of the path behind the proxy");
}

} // namespace

TEST_GROUP(keepalive_learning) {
    return Suite()
        .each(walled_families, "a mass loss teaches nothing", a_mass_loss_teaches_nothing)
        .each(walled_families, "a single connection teaches", a_single_connection_teaches)
        .host_each(walled_families, "an outage with a single connection teaches nothing",
                   an_outage_with_a_single_connection_teaches_nothing)
        .each(walled_families, "learns from resets in one round", learns_from_resets_in_one_round)
        .each(walled_families, "finds a reset to a probe", finds_a_reset_to_a_probe)
        .host_each(walled_families, "waits no longer than the policy allows",
                   waits_no_longer_than_the_policy_allows)
        .host_each(walled_families, "a proxy on this host teaches nothing",
                   a_proxy_on_this_host_teaches_nothing)
        .run_at_once("keepalive_learning", 8);
}

} // namespace test_keepalive_learning
