// SPDX-License-Identifier: Apache-2.0
// Promise: a connection whose packets reach nobody any more is found, on either side, whoever made
// it and when, and said to be what it is: silently dropped, path down, peer hung, refused late.
// Lossy paths and outages drop nothing.
#include "tests/e2e/failing.h"
#include "tests/e2e/walled.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr int forget_after_s = 2;
constexpr long idle_ms = 3500;
constexpr int never_forget_s = 100'000;
/// From the write that hangs to the finding.
constexpr auto found_within = std::chrono::milliseconds(2500);

std::string flow_policy(const std::string& half_open = {}) {
    return policy({{.to = beyond_the_wall, .mode = "observe"}}) +
           (half_open.empty() ? "" : fmt::format("half_open = {{ {} }}\n", half_open));
}

/// A firewall, a ballastd, and a listener behind the firewall.
struct Place {
    Wall& wall;
    Scene scene;
    Listener& listener;
};

/// Once the first connection has found all neighbours, which may cost a SYN or two.
Listener& listen(const Wall& wall, const Family& family) {
    auto& listener = make<Listener>(wall.link().server, Dest{family.server, 0});
    Attempt first;
    await(
        [&] {
            first = attempt(wall.link().client, listener.dest());
            return first.error == 0;
        },
        "a path through the wall");
    listener.accept();
    abort_connection(first.socket);
    return listener;
}

Place& make_place(const Family& family, const std::string& policy_text = flow_policy()) {
    auto& wall = make<Wall>();
    wall.stand(forget_after_s);
    auto& ballastd = start_ballastd(policy_text);
    return make<Place>(wall, Scene{wall.link(), ballastd}, listen(wall, family));
}

/// Lets `busy` live until `holds`. Patient, since sweeps come seldom on a host with many
/// namespaces.
void live_until(const std::vector<const Through*>& busy, const std::function<bool()>& holds,
                std::string_view what) {
    const auto lives_and_holds = [&] {
        for (const auto* pair : busy)
            check(exchange(*pair), "the other connection lives");
        return holds();
    };
    if (!wait_until(lives_and_holds, patience(std::chrono::seconds(40))))
        fail_test(fmt::format("waited in vain for {}", what));
}

void let_idle(const Fd& socket, const std::vector<const Through*>& busy) {
    live_until(
        busy, [&] { return silent_ms(socket) > idle_ms; }, "silence");
}

std::vector<std::string> findings(const Place& place, const std::string& kind,
                                  const std::string& flow_part = "") {
    return log_lines(place.scene,
                     {"finding reason=half_open_flow", "kind=" + kind + " ", flow_part});
}

/// Waits for the finding that names the flow; how long that took.
std::chrono::milliseconds await_kind(const Place& place, const std::string& kind, const Fd& socket,
                                     const std::vector<const Through*>& busy = {}) {
    const auto began = Clock::now();
    const auto from = local_text(socket) + "->";
    live_until(
        busy, [&] { return !findings(place, kind, from).empty(); }, "finding " + kind);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
    note(
        fmt::format("{} after {} ms: {}", kind, took.count(), findings(place, kind, from).front()));
    return took;
}

void check_none(const Place& place, const std::string& kind) {
    for (const auto& line : findings(place, kind))
        fail_test("told in error: " + line);
}

void finds_what_was_dropped(const Family& family) {
    auto& place = make_place(family);
    auto& idle = through(place.wall, place.listener);
    auto& busy = through(place.wall, place.listener);
    let_idle(idle.client, {&busy});
    say(idle.client);
    check(await_kind(place, "silently_dropped", idle.client, {&busy}) < found_within, "in time");
    const auto line = findings(place, "silently_dropped").front();
    for (const auto* part : {"service=test", "side=client", "mode=observe", "flows=1", "others=1"})
        check(line.find(part) != std::string::npos, fmt::format("{} in: {}", part, line));
    check_none(place, "path_down");
}

void finds_it_on_the_server(const Family& family) {
    auto& place = make_place(family);
    auto& idle = through(place.wall, place.listener);
    auto& busy = through(place.wall, place.listener);
    let_idle(idle.server, {&busy});
    say(idle.server);
    check(await_kind(place, "silently_dropped", idle.server, {&busy}) < found_within, "in time");
    check(findings(place, "silently_dropped").front().find("side=server") != std::string::npos,
          "the side is named");
}

void finds_it_on_connections_older_than_itself(const Family& family) {
    auto& wall = make<Wall>();
    wall.stand(forget_after_s);
    auto& ballastd = make<Ballastd>(flow_policy());
    auto& listener = listen(wall, family);
    auto& place = make<Place>(wall, Scene{wall.link(), ballastd}, listener);
    auto& idle = through(wall, listener);
    auto& busy = through(wall, listener);
    ballastd.start();
    let_idle(idle.client, {&busy});
    say(idle.client);
    check(await_kind(place, "silently_dropped", idle.client, {&busy}) < found_within, "in time");
}

void finds_it_by_a_fresh_connect(const Family& family) {
    auto& place = make_place(family, flow_policy("witness = \"connect\""));
    auto& idle = through(place.wall, place.listener);
    let_idle(idle.client, {});
    say(idle.client);
    check(await_kind(place, "silently_dropped", idle.client) < found_within, "in time");
    check(findings(place, "silently_dropped").front().find("fresh_connect=answered") !=
              std::string::npos,
          "the witness is named");
}

void finds_readers_by_their_keepalive(const Family& family) {
    auto& place = make_place(family);
    auto& idle = through(place.wall, place.listener);
    auto& busy = through(place.wall, place.listener);
    set_option(idle.client, IPPROTO_TCP, TCP_KEEPIDLE, 4);
    set_option(idle.client, IPPROTO_TCP, TCP_KEEPINTVL, 1);
    set_option(idle.client, IPPROTO_TCP, TCP_KEEPCNT, 2);
    set_option(idle.client, SOL_SOCKET, SO_KEEPALIVE, 1);
    await_kind(place, "silently_dropped", idle.client, {&busy});
    check(findings(place, "silently_dropped").front().find("ended=ETIMEDOUT") != std::string::npos,
          "how it ended");
}

void tells_a_path_that_is_down(const Family& family) {
    auto& place = make_place(family);
    auto& one = through(place.wall, place.listener);
    auto& other = through(place.wall, place.listener);
    let_idle(one.client, {&other});
    place.wall.shut();
    say(one.client);
    say(other.client);
    await_kind(place, "path_down", one.client);
    check_none(place, "silently_dropped");
}

void tells_a_late_refusal(const Family& family) {
    auto& place = make_place(family);
    place.wall.stand(forget_after_s, "meta l4proto tcp reject with tcp reset");
    auto& idle = through(place.wall, place.listener);
    let_idle(idle.client, {});
    say(idle.client);
    await_kind(place, "refused_late", idle.client);
    check_none(place, "silently_dropped");
}

void tells_a_shut_window(const Family& family) {
    auto& place = make_place(family);
    place.wall.stand(never_forget_s);
    auto& pair = through(place.wall, place.listener);
    const std::string much(1 << 16, 'x');
    await(
        [&] {
            while (::send(pair.client.get(), much.data(), much.size(),
                          MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
            }
            tcp_info info{};
            socklen_t size = sizeof info;
            ::getsockopt(pair.client.get(), IPPROTO_TCP, TCP_INFO, &info, &size);
            int waiting = 0;
            ::ioctl(pair.client.get(), SIOCOUTQ, &waiting);
            return info.tcpi_unacked == 0 && waiting > 0;
        },
        "the window to shut");
    await_kind(place, "peer_hung", pair.client);
    check(findings(place, "peer_hung").front().find("window=0") != std::string::npos, "evidence");
    std::string taken(1 << 20, ' ');
    live_until(
        {},
        [&] {
            while (::recv(pair.server.get(), taken.data(), taken.size(), MSG_DONTWAIT) > 0) {
            }
            return !findings(place, "cleared", local_text(pair.client)).empty();
        },
        "the finding to be taken back");
    check_none(place, "silently_dropped");
}

void tells_a_peer_that_does_not_answer(const Family& family) {
    auto& place = make_place(family, flow_policy("response_timeout = \"2s\""));
    place.wall.stand(never_forget_s);
    auto& pair = through(place.wall, place.listener);
    auto& patient = through(place.wall, place.listener);
    // Of what is sent in the same jiffy as something is received, the kernel keeps no order.
    await([&] { return silent_ms(pair.client) > 20; }, "a moment");
    say(pair.client);
    await_kind(place, "peer_hung", pair.client);
    check(findings(place, "peer_hung").front().find("unanswered_ms=") != std::string::npos, "why");
    check(findings(place, "peer_hung", local_text(patient.client)).empty(),
          "nobody asked that one");
    say(pair.server);
    live_until(
        {}, [&] { return !findings(place, "cleared", local_text(pair.client)).empty(); },
        "the finding to be taken back");
}

void takes_no_outage_for_a_drop(const Family& family) {
    auto& place = make_place(family);
    place.wall.stand(never_forget_s);
    auto& one = through(place.wall, place.listener);
    auto& other = through(place.wall, place.listener);
    let_idle(one.client, {&other});
    place.wall.shut();
    const auto began = Clock::now();
    say(one.client);
    say(other.client);
    await([&] { return Clock::now() - began > std::chrono::seconds(10); }, "ten seconds");
    place.wall.open();
    char byte = 0;
    check(wait_fd(one.server.get(), POLLIN, Clock::now() + patience()), "it arrives late");
    check(wait_fd(other.server.get(), POLLIN, Clock::now() + patience()), "the other's too");
    need(::recv(one.server.get(), &byte, 1, 0) == 1 && ::recv(other.server.get(), &byte, 1, 0) == 1,
         "recv");
    live_until(
        {&one, &other},
        [&] {
            return place.scene.ballastd.status().at("half_open").at("suspects").get<long>() == 0;
        },
        "the suspicion to end");
    check_none(place, "silently_dropped");
}

void takes_no_loss_for_a_drop(const Family& family) {
    auto& place = make_place(family);
    place.wall.stand(never_forget_s);
    std::vector<const Through*> pairs;
    for (int i = 0; i < 6; ++i)
        pairs.push_back(&through(place.wall, place.listener));
    place.wall.lose(20);
    const auto until = Clock::now() + std::chrono::seconds(20);
    // One writes now and then, the others whenever they have been answered.
    for (std::size_t turn = 0; Clock::now() < until; ++turn)
        for (std::size_t i = 0; i < pairs.size(); ++i)
            if (i > 0 || turn % 16 == 0)
                exchange(*pairs.at(i), 20);
    place.wall.open();
    note(place.scene.ballastd.status().at("half_open").dump());
    check_none(place, "silently_dropped");
}

void leaves_alone_what_is_off(const Family& family) {
    auto& place = make_place(family, flow_policy("mode = \"off\""));
    auto& idle = through(place.wall, place.listener);
    auto& busy = through(place.wall, place.listener);
    let_idle(idle.client, {&busy});
    say(idle.client);
    const auto began = Clock::now();
    live_until(
        {&busy}, [&] { return Clock::now() - began > found_within; }, "the usual time");
    check_none(place, "silently_dropped");
}

} // namespace

int main() {
    return Suite()
        .each(walled_families, "finds what was silently dropped", finds_what_was_dropped)
        .each(walled_families, "finds it on the server's side", finds_it_on_the_server)
        .each(walled_families, "finds it on connections older than itself",
              finds_it_on_connections_older_than_itself)
        .each(walled_families, "finds it by a fresh connect", finds_it_by_a_fresh_connect)
        .each(walled_families, "finds readers by their keepalive", finds_readers_by_their_keepalive)
        .each(walled_families, "tells a path that is down", tells_a_path_that_is_down)
        .each(walled_families, "tells a late refusal", tells_a_late_refusal)
        .each(walled_families, "tells a shut window", tells_a_shut_window)
        .each(walled_families, "tells a peer that does not answer",
              tells_a_peer_that_does_not_answer)
        .each(walled_families, "takes no outage for a drop", takes_no_outage_for_a_drop)
        .each(walled_families, "takes no loss for a drop", takes_no_loss_for_a_drop)
        .each(walled_families, "leaves alone what is off", leaves_alone_what_is_off)
        .run("half_open");
}
