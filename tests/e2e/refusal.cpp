// SPDX-License-Identifier: Apache-2.0
// Promise: a refusal is an errno of the operator's choice, given by connect() itself, before any
// packet; limits hold per destination and the most specific service governs.
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <cerrno>
#include <netinet/tcp.h>

namespace test_refusal {

using namespace ballast;
using namespace ballast::test;

namespace {

Scene* scene = nullptr;

struct Reason {
    const char* name;
    int error;
};

constexpr Reason reasons[] = {
    {"refused", ECONNREFUSED}, {"again", EAGAIN}, {"unreachable", EHOSTUNREACH}};

unsigned long packets_sent(const Netns& from) {
    const auto links = Json::parse(from.exec({"ip", "-s", "-j", "link", "show", "c0"}));
    return links.at(0).at("stats64").at("tx").at("packets").get<unsigned long>();
}

/// To a destination that answers nothing, so that only Ballast can be the one who refuses.
void refuses_at_once(const Reason& reason, const Family& family) {
    static std::uint16_t port = 10000;
    const Dest dest{family.silent, ++port};
    scene->ballastd.enforce(policy({{.limit = 2, .on_limit = reason.name}}));
    auto& held = make<std::vector<Fd>>();
    held.push_back(connecting(scene->link.client, dest));
    held.push_back(connecting(scene->link.client, dest));
    auto& third = make<Fd>(tcp_socket(scene->link.client, family.domain, SOCK_NONBLOCK));
    check_errno(connect_errno(third, dest), reason.error, "third connect, non-blocking");
    check_equal(tcp_state(third), int{TCP_CLOSE}, "state of the refused socket");
    check_errno(attempt(scene->link.client, dest).error, reason.error, "fourth connect, blocking");
    check_equal(scene->ballastd.value(dest, "refused"), 2, "refused");
    check_equal(scene->ballastd.in_use(dest), 2, "in_use");
    held.pop_back();
    check_errno(connect_errno(third, dest), EINPROGRESS, "the refused socket, with a place free");
    check_equal(scene->ballastd.in_use(dest), 2, "in_use after that");
}

void sends_nothing(const Family& family) {
    scene->ballastd.enforce(limit_policy(1));
    const auto& dest = serve(*scene, family).dest();
    open_connections(scene->link.client, dest, 1);
    const auto before = packets_sent(scene->link.client);
    for (int i = 0; i < 100; ++i)
        check_refused(*scene, dest, "refusal");
    // neighbour discovery and the like may send a few
    check(packets_sent(scene->link.client) < before + 50, "100 refusals sent no 100 packets");
    check_equal(scene->ballastd.value(dest, "refused"), 100, "refused");
}

void holds_per_destination(const Family& family) {
    scene->ballastd.enforce(limit_policy(2));
    for (int i = 0; i < 2; ++i) {
        const auto& dest = serve(*scene, family).dest();
        open_connections(scene->link.client, dest, 2);
        check_refused(*scene, dest, "the third");
    }
}

void most_specific_governs(const Family& family) {
    const auto& exact = serve(*scene, family).dest();
    const auto& other = serve(*scene, family).dest();
    scene->ballastd.enforce(policy(
        {{.limit = 3, .name = "wide"}, {.to = {exact.text()}, .limit = 1, .name = "narrow"}}));
    open_connections(scene->link.client, exact, 1);
    check_refused(*scene, exact, "second to the port");
    open_connections(scene->link.client, other, 3);
    check_refused(*scene, other, "fourth to another port");
    check(scene->ballastd.row(exact, "narrow").is_object(), "the narrow service governs the port");
    check(scene->ballastd.row(other, "wide").is_object(), "the wide one governs the others");
}

void ungoverned_is_untouched(const Family& family) {
    scene->ballastd.enforce(policy({{.to = {"192.0.2.1:1"}, .limit = 1}}));
    const auto& dest = serve(*scene, family).dest();
    open_connections(scene->link.client, dest, 20);
    check_equal(scene->ballastd.in_use(dest), 0, "in_use");
    scene->ballastd.sweep();
    check_equal(scene->ballastd.value(dest, "established"), 20,
                "established, shown though no policy governs it");
}

} // namespace

TEST_GROUP(refusal) {
    Suite suite;
    suite.shared([] { scene = &make_scene(limit_policy(1)); });
    for (const auto& reason : reasons)
        suite.each(families, fmt::format("on_limit {} refuses at once", reason.name),
                   [reason](const Family& family) { refuses_at_once(reason, family); });
    return suite.each(families, "a refusal sends nothing", sends_nothing)
        .each(families, "limits hold per destination", holds_per_destination)
        .each(families, "the most specific service governs", most_specific_governs)
        .each(families, "what no service names is untouched", ungoverned_is_untouched)
        .run("refusal");
}

} // namespace test_refusal
