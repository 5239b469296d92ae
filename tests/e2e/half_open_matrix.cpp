// SPDX-License-Identifier: Apache-2.0
// Promise: whatever becomes of a connection is called what it is, or nothing where nothing is wrong
// with it: dropped after idling, while busy, one way only; refused late; peer host gone, peer
// stopped, window shut; loss, an outage, another address after idling.
#include "tests/e2e/half_open_matrix.h"

#include <csignal>
#include <cstdlib>

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>

namespace ballast::test {

namespace {

void finds_what_was_dropped(const Family& family) {
    auto& place = make_place(family);
    auto& idle = through(place.wall, place.listener);
    auto& busy = through(place.wall, place.listener);
    let_idle(idle.client, {&busy});
    say(idle.client);
    await_kind(place, "silently_dropped", idle.client, {&busy});
    const auto line = findings(place, "silently_dropped").front();
    for (const auto* part : {"service=test", "side=client", "mode=observe", "flows=1", "others=1"})
        check(line.find(part) != std::string::npos, fmt::format("{} in: {}", part, line));
    check_none(place, "path_down");
}

/// Cut off in the middle of a conversation, one of several.
void finds_what_is_cut(const Family& family, Way way) {
    auto& place = make_place(family);
    place.wall.stand(never_forget_s);
    auto& pair = through(place.wall, place.listener);
    auto& busy = through(place.wall, place.listener);
    converse(pair);
    place.wall.cut(pair.client, way);
    say(pair.client);
    say(pair.server); // arrives where only the way there is cut, again and again
    await_kind(place, "silently_dropped", pair.client, {&busy});
    const auto line = findings(place, "silently_dropped", local_text(pair.client) + "->").front();
    check((line.find(" one_way=true ") != std::string::npos) == (way == Way::there),
          "what is heard is said: " + line);
    check_none(place, "path_down");
}

void finds_what_is_cut_both_ways(const Family& family) {
    finds_what_is_cut(family, Way::both);
}

void finds_what_is_cut_one_way(const Family& family) {
    finds_what_is_cut(family, Way::there);
    finds_what_is_cut(family, Way::back);
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

/// The wall's next hop is gone, and the wall says so (ICMP) as routers do.
void tells_a_host_that_is_gone(const Family& family) {
    auto& place = make_place(family);
    auto& one = through(place.wall, place.listener);
    auto& other = through(place.wall, place.listener);
    place.wall.link().server.ip({"link set s0 down"});
    say(one.client);
    say(other.client);
    await_kind(place, "path_down", one.client);
    await_kind(place, "path_down", other.client);
    check_none(place, "silently_dropped");
}

/// A process that answers each byte with one; takes the server's end along.
Process& answering(Through& pair) {
    auto& process = make<Process>();
    process.fork([fd = pair.server.get()] {
        char byte = 0;
        while (::recv(fd, &byte, 1, 0) == 1 && ::send(fd, &byte, 1, MSG_NOSIGNAL) == 1) {
        }
        return 0;
    });
    pair.server.reset();
    return process;
}

/// Writes to a process that was stopped a moment ago.
Through& write_to_stopped(const Place& place, Process*& process) {
    auto& pair = through(place.wall, place.listener);
    process = &answering(pair);
    say(pair.client);
    check(wait_fd(pair.client.get(), POLLIN, Clock::now() + patience()), "an answer");
    char byte = 0;
    need(::recv(pair.client.get(), &byte, 1, 0) == 1, "recv");
    process->signal(SIGSTOP);
    // Of what is sent in the same jiffy as something is received, the kernel keeps no order.
    await([&] { return silent_ms(pair.client) > 20; }, "a moment");
    say(pair.client);
    return pair;
}

void tells_a_stopped_peer(const Family& family) {
    auto& place = make_place(family, flow_policy("response_timeout = \"2s\""));
    place.wall.stand(never_forget_s);
    auto& patient = through(place.wall, place.listener);
    Process* process = nullptr;
    auto& pair = write_to_stopped(place, process);
    sweep_for_kind(place, "peer_hung", pair.client);
    check(findings(place, "peer_hung").front().find("unanswered_ms=") != std::string::npos, "why");
    check(findings(place, "peer_hung", local_text(patient.client)).empty(),
          "nobody asked that one");
    process->signal(SIGCONT);
    sweep_until(
        place, [&] { return !findings(place, "cleared", local_text(pair.client)).empty(); },
        "the finding to be taken back");
}

/// Its kernel acknowledges: nothing is known to be wrong with a peer that thinks for long.
void leaves_a_slow_peer_alone(const Family& family) {
    auto& place = make_place(family);
    place.wall.stand(never_forget_s);
    Process* process = nullptr;
    auto& pair = write_to_stopped(place, process);
    sweep_until(
        place, [&] { return silent_ms(pair.client) > idle_ms; }, "silence");
    check(log_lines(place.scene, {"finding reason=half_open_flow"}).empty(), "nothing is told");
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
    sweep_for_kind(place, "peer_hung", pair.client);
    check(findings(place, "peer_hung").front().find("window=0") != std::string::npos, "evidence");
    std::string taken(1 << 20, ' ');
    sweep_until(
        place,
        [&] {
            while (::recv(pair.server.get(), taken.data(), taken.size(), MSG_DONTWAIT) > 0) {
            }
            return !findings(place, "cleared", local_text(pair.client)).empty();
        },
        "the finding to be taken back");
    check_none(place, "silently_dropped");
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
        {&one, &other}, [&] { return is_calm(place); }, "the suspicion to end");
    check_none(place, "silently_dropped");
}

void takes_no_loss_for_a_drop(const Family& family, void (Wall::*lose)(int)) {
    auto& place = make_place(family);
    place.wall.stand(never_forget_s);
    std::vector<const Through*> pairs;
    for (int i = 0; i < 6; ++i)
        pairs.push_back(&through(place.wall, place.listener));
    (place.wall.*lose)(20);
    const auto until = Clock::now() + std::chrono::seconds(20);
    // One writes now and then, the others whenever they have been answered.
    for (std::size_t turn = 0; Clock::now() < until; ++turn)
        for (std::size_t i = 0; i < pairs.size(); ++i)
            if (i > 0 || turn % 16 == 0)
                exchange(*pairs.at(i), 20);
    note(place.scene.ballastd.status().at("half_open").dump());
    check_none(place, "silently_dropped");
}

void takes_no_lossy_path_for_a_drop(const Family& family) {
    takes_no_loss_for_a_drop(family, &Wall::lose);
}

void takes_no_emulated_loss_for_a_drop(const Family& family) {
    takes_no_loss_for_a_drop(family, &Wall::emulate_loss);
}

/// The server knows nothing of the address that the connection has now.
void tells_another_address(const Family& family) {
    auto& place = make_place(family);
    place.wall.translate(forget_after_s);
    auto& pair = through(place.wall, place.listener);
    let_idle(pair.client, {});
    say(pair.client);
    await_kind(place, "refused_late", pair.client);
    check_none(place, "silently_dropped");
}

} // namespace

void add_matrix(Suite& suite) {
    if (std::getenv("BALLAST_VM"))
        suite.each(walled_families, "takes no emulated loss for a drop",
                   takes_no_emulated_loss_for_a_drop);
    suite.each(walled_families, "takes no loss for a drop", takes_no_lossy_path_for_a_drop)
        .each(walled_families, "takes no outage for a drop", takes_no_outage_for_a_drop)
        .each(walled_families, "tells a shut window", tells_a_shut_window)
        .each(walled_families, "finds what is cut one way", finds_what_is_cut_one_way)
        .each(walled_families, "finds what is cut both ways", finds_what_is_cut_both_ways)
        .each(walled_families, "finds what was silently dropped", finds_what_was_dropped)
        .each(walled_families, "tells a late refusal", tells_a_late_refusal)
        .each(walled_families, "tells a host that is gone", tells_a_host_that_is_gone)
        .each(walled_families, "tells a stopped peer", tells_a_stopped_peer)
        .each(walled_families, "leaves a slow peer alone", leaves_a_slow_peer_alone)
        .each(walled_families, "tells another address", tells_another_address);
}

} // namespace ballast::test
