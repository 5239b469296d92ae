// SPDX-License-Identifier: Apache-2.0
// Promise: connect_timeout bounds an unanswered connect(), for any program, and changes nothing
// about the connection once it is established.
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <cstdlib>
#include <filesystem>

#include <netinet/tcp.h>

namespace test_connect_timeout {

using namespace ballast;
using namespace ballast::test;

namespace {

/// Long enough for the retransmission of a SYN, which comes after a second, to be answered, and for
/// what a test does meanwhile, on an emulated machine too. No test waits for its end.
const int bound_ms = std::getenv("BALLAST_VM") != nullptr ? 40'000 : 4'000;

struct Knobs {
    std::string mode = "enforce";
    std::string timeout = fmt::format("{}ms", bound_ms);
};

std::string timeout_policy(const Knobs& knobs = {}) {
    return policy({{.mode = knobs.mode}}) +
           fmt::format("connect_timeout = \"{}\"\n", knobs.timeout);
}

int user_timeout_ms(const Fd& socket) {
    int value = -1;
    socklen_t length = sizeof value;
    need(::getsockopt(socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &length) == 0,
         "getsockopt(TCP_USER_TIMEOUT)");
    return value;
}

void set_user_timeout(const Fd& socket, int ms) {
    set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, ms);
}

Scene& scene_with(const Knobs& knobs = {}) {
    return make_scene(timeout_policy(knobs));
}

bool is_tuning(const Ballastd& ballastd) {
    return std::filesystem::exists(ballastd.bpffs() + "/link_tune");
}

/// Connecting to a listener whose network is down for the moment: in SYN_SENT, until it is back.
struct Delayed {
    Listener& listener;
    Fd socket;
};

Delayed delayed_connection(const Scene& scene, const Family& family) {
    auto& listener = serve(scene, family);
    silence(scene.link.client, family);
    auto socket = tcp_socket(scene.link.client, family.domain, SOCK_NONBLOCK);
    check_errno(connect_errno(socket, listener.dest()), EINPROGRESS, "connect() is on its way");
    return {listener, std::move(socket)};
}

/// tcp_syn_retries of this host would have it wait for two minutes.
void bounds_an_unanswered_connect(const Family& family) {
    auto& scene = scene_with({.timeout = "1s"});
    const auto socket = tcp_socket(scene.link.client, family.domain);
    check_errno(connect_errno(socket, {family.silent, 9}), ETIMEDOUT, "nobody answers");
    check_equal(tcp_state(socket), TCP_CLOSE, "state afterwards");
    await_in_use(scene.ballastd, {family.silent, 9}, 0);
}

void is_over_when_established(const Family& family) {
    auto& scene = scene_with();
    auto late = delayed_connection(scene, family);
    check_equal(user_timeout_ms(late.socket), bound_ms, "while it connects");
    end_silence(scene.link.client, family);
    check_errno(connect_result(late.socket), 0, "the connection");
    check_equal(user_timeout_ms(late.socket), 0, "once it is there");
    const auto quick = attempt(scene.link.client, late.listener.dest());
    check_errno(quick.error, 0, "a quick one");
    check_equal(user_timeout_ms(quick.socket), 0, "of a quick one");
    check_exact(scene, late.listener.dest(), 2);
}

void gives_back_what_the_program_had(const Family& family) {
    auto& scene = scene_with();
    auto& listener = serve(scene, family);
    const auto socket = tcp_socket(scene.link.client, family.domain);
    set_user_timeout(socket, 30000);
    check_errno(connect_errno(socket, listener.dest()), 0, "connect()");
    check_equal(user_timeout_ms(socket), 30000, "the program's own");
}

void only_tightens(const Family& family) {
    auto& scene = scene_with();
    silence(scene.link.client, family);
    const auto socket = tcp_socket(scene.link.client, family.domain, SOCK_NONBLOCK);
    set_user_timeout(socket, 700);
    connect_errno(socket, {family.server, 9});
    check_equal(user_timeout_ms(socket), 700, "what is tighter stays");
    end_silence(scene.link.client, family);
}

void leaves_what_the_program_sets_meanwhile(const Family& family) {
    auto& scene = scene_with();
    auto late = delayed_connection(scene, family);
    set_user_timeout(late.socket, 7777);
    end_silence(scene.link.client, family);
    check_errno(connect_result(late.socket), 0, "the connection");
    check_equal(user_timeout_ms(late.socket), 7777, "the program's choice");
}

/// A policy that governs it as another service gives the reservation back, but not this.
void survives_another_policy(const Family& family) {
    auto& scene = scene_with();
    auto late = delayed_connection(scene, family);
    scene.ballastd.enforce(policy({{.mode = "enforce", .name = "other"}}) +
                           "connect_timeout = \"9s\"\n");
    scene.ballastd.sweep();
    check_equal(user_timeout_ms(late.socket), bound_ms, "of the policy that it began under");
    end_silence(scene.link.client, family);
    check_errno(connect_result(late.socket), 0, "the connection");
    check_equal(user_timeout_ms(late.socket), 0, "once it is there");
}

void ends_with_its_connect(const Family& family) {
    auto& scene = scene_with({.timeout = "1s"});
    const auto socket = tcp_socket(scene.link.client, family.domain);
    check_errno(connect_errno(socket, {family.silent, 9}), ETIMEDOUT, "the first connect()");
    auto& listener = serve(scene, family);
    scene.ballastd.enforce(policy({{.mode = "enforce", .name = "untimed"}}));
    check_errno(connect_errno(socket, listener.dest()), 0, "the second, of the same socket");
    check_equal(user_timeout_ms(socket), 0, "the first one's is gone");
}

void changes_nothing_unless_enforced(const Family& family) {
    auto& scene = scene_with({.mode = "observe"});
    const Dest silent{family.silent, 9};
    check_equal(user_timeout_ms(connecting(scene.link.client, silent)), 0, "in observe");
    scene.ballastd.enforce(timeout_policy());
    check_equal(user_timeout_ms(connecting(scene.link.client, silent)), bound_ms, "in enforce");
    scene.ballastd.json({"disarm"});
    check_equal(user_timeout_ms(connecting(scene.link.client, silent)), 0, "disarmed");
    scene.ballastd.json({"arm"});
    scene.ballastd.enforce(timeout_policy() + "[governor]\ndry_run = true\n");
    check_equal(user_timeout_ms(connecting(scene.link.client, silent)), 0, "in a dry run");
}

void holds_with_the_daemon_dead(const Family& family) {
    auto& scene = make_scene(timeout_policy());
    scene.ballastd.crash();
    check_errno(attempt(scene.link.client, {family.silent, 9}).error, ETIMEDOUT, "daemon dead");
    auto late = delayed_connection(scene, family);
    end_silence(scene.link.client, family);
    check_errno(connect_result(late.socket), 0, "the connection");
    check_equal(user_timeout_ms(late.socket), 0, "given back by the program alone");
    scene.ballastd.start();
    check(is_tuning(scene.ballastd), "taken over");
}

/// The kernel runs it for every connection of the host.
void attached_only_where_wanted() {
    auto& scene = make_scene(limit_policy(5));
    check(!is_tuning(scene.ballastd), "no service has a connect_timeout");
    scene.ballastd.enforce(timeout_policy());
    check(is_tuning(scene.ballastd), "one has");
    scene.ballastd.enforce(limit_policy(5));
    check(is_tuning(scene.ballastd), "stays while connections may be under it");
    scene.ballastd.json({"unload"});
    check_equal(scene.ballastd.wait_exit(), 0, "exit status of the unloaded daemon");
    check(!std::filesystem::exists(scene.ballastd.bpffs()), "the directory of pins is gone");
}

} // namespace

TEST_GROUP(connect_timeout) {
    return Suite()
        .each(families, "bounds a connect() that nobody answers", bounds_an_unanswered_connect)
        .each(families, "is over once the connection is there", is_over_when_established)
        .each(families, "gives back what the program had", gives_back_what_the_program_had)
        .host_each(families, "only tightens", only_tightens)
        .host_each(families, "leaves what the program sets meanwhile",
                   leaves_what_the_program_sets_meanwhile)
        .host_each(families, "survives another policy", survives_another_policy)
        .each(families, "ends with its connect()", ends_with_its_connect)
        .host_each(families, "changes nothing unless enforced", changes_nothing_unless_enforced)
        .each(families, "holds with the daemon dead", holds_with_the_daemon_dead)
        .host_add("attached only where wanted", attached_only_where_wanted)
        .run_at_once("connect_timeout", 4);
}

} // namespace test_connect_timeout
