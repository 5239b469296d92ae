// SPDX-License-Identifier: Apache-2.0
// Promise (docs/no-harm.md): whatever happens to a path, no connection ends under Ballast whose
// control lives, which does the same at the same time and is governed by no service.
//
// Events are composed at random; each strikes the whole path, so that nothing is proven dead at a
// living destination. BALLAST_RANDOM_SEED repeats a run, BALLAST_RANDOM_SECONDS lasts longer.
#include "tests/e2e/half_open_place.h"
#include "tests/harness/group.h"

#include <array>
#include <cstdlib>
#include <random>

#include <netinet/tcp.h>
#include <poll.h>

namespace test_no_harm_random {

using namespace ballast;
using namespace ballast::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

enum class Life { chatty, idle, one_way, slow_reader, half_closed, pooled };
constexpr std::array kLives{Life::chatty,      Life::idle,        Life::one_way,
                            Life::slow_reader, Life::half_closed, Life::pooled};
constexpr std::array<const char*, kLives.size()> kLifeNames{"chatty",      "idle",        "one-way",
                                                            "slow reader", "half-closed", "pooled"};

enum class Event {
    cut,
    cut_there,
    lossy,
    swallows_large,
    pause,
    restart,
    table_lost,
    table_lost_dropped,
    table_lost_reset,
    rebound,
};
constexpr std::array<const char*, 10> kEventNames{"cut",
                                                  "cut one way",
                                                  "lossy",
                                                  "loses large packets",
                                                  "paused",
                                                  "restart",
                                                  "lost its table, lets pass",
                                                  "lost its table, drops",
                                                  "lost its table, resets",
                                                  "translates anew"};

/// After it a connection may be dead for good.
constexpr bool is_for_good(Event event) {
    return event == Event::restart || event >= Event::table_lost_dropped;
}

/// One direction: what was written, and what has arrived.
struct Stream {
    long sent = 0;
    long got = 0;
    long wanted = 0;
};

class Flow {
public:
    Flow(Fd client, Fd server) : client_(std::move(client)), server_(std::move(server)) {}

    void write(std::size_t bytes) { write(client_, bytes, there_); }
    void answer(std::size_t bytes) { write(server_, bytes, back_); }
    void read(std::size_t most) { read(server_, most, there_); }
    void read_answers() { read(client_, 1 << 16, back_); }
    void close_server_side() { ::shutdown(server_.get(), SHUT_WR); }
    void abort() {
        abort_connection(server_);
        client_.reset();
    }

    /// All that was written is to arrive, and one byte more each way that is open: see arrived().
    void ask(bool is_half_closed) {
        there_.wanted = there_.sent + 1;
        back_.wanted = back_.sent + (is_half_closed ? 0 : 1);
    }

    /// Goes on with what ask() began.
    bool arrived() {
        if (there_.sent < there_.wanted)
            write(1);
        if (back_.sent < back_.wanted)
            answer(1);
        read(1 << 16);
        read_answers();
        return there_.got == there_.wanted && back_.got == back_.wanted;
    }

    bool works(bool is_half_closed) {
        ask(is_half_closed);
        return goes_on();
    }

    bool goes_on() {
        const auto deadline = Clock::now() + patience(seconds(30));
        while (!arrived()) {
            if (Clock::now() > deadline || is_broken_)
                return false;
            ::poll(nullptr, 0, 5);
        }
        return true;
    }

    [[nodiscard]] std::string name() const { return local_text(client_); }

private:
    void write(const Fd& from, std::size_t bytes, Stream& stream) {
        const std::string much(bytes, 'x');
        const auto sent = ::send(from.get(), much.data(), bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        is_broken_ = is_broken_ || (sent < 0 && errno != EAGAIN);
        stream.sent += sent > 0 ? sent : 0;
    }

    void read(const Fd& from, std::size_t most, Stream& stream) {
        std::string much(most, ' ');
        const auto got = ::recv(from.get(), much.data(), most, MSG_DONTWAIT);
        is_broken_ = is_broken_ || (got < 0 && errno != EAGAIN);
        stream.got += got > 0 ? got : 0;
    }

    Fd client_;
    Fd server_;
    Stream there_;
    Stream back_;
    bool is_broken_ = false;
};

/// A connection of a governed service, and its control.
struct Twins {
    Life life;
    Flow governed;
    Flow control;

    void act(std::mt19937& random, bool is_paused) {
        const auto chance = static_cast<unsigned>(random() % 100);
        for (Flow* flow : {&governed, &control})
            act(*flow, chance, is_paused);
    }

private:
    void act(Flow& flow, unsigned chance, bool is_paused) const {
        switch (life) {
        case Life::chatty:
            flow.write(1 + chance);
            break;
        case Life::idle:
            break;
        case Life::one_way:
        case Life::half_closed:
            flow.write(chance * 20);
            break;
        case Life::slow_reader:
            flow.write(1 << 14);
            break;
        case Life::pooled:
            if (chance < 5)
                flow.write(200);
            break;
        }
        if (is_paused)
            return;
        flow.read(life == Life::slow_reader ? 2000 : 1 << 16);
        if (life == Life::chatty || life == Life::pooled)
            flow.answer(1);
        flow.read_answers();
    }
};

class World {
public:
    World(const Family& family, std::mt19937& random)
        : random_(random), place_(make_place(family, policy_for())),
          control_(listen(place_.wall, family)) {
        place_.wall.stand(never_forget_s);
        const auto governed = place_.listener.dest();
        place_.scene.ballastd.enforce(policy_for(governed.text()));
        for (const Life life : kLives)
            for (int i = 0; i < 2; ++i)
                twins_.push_back(make_twins(life));
    }

    /// One event, and then all is as before.
    void round() {
        const auto event = static_cast<Event>(random_() % kEventNames.size());
        const milliseconds lasts(500 + random_() % 6000);
        story_ += fmt::format("{} for {} ms; ", kEventNames.at(static_cast<std::size_t>(event)),
                              lasts.count());
        begin(event);
        live_for(lasts, event == Event::pause);
        if (is_for_good(event)) {
            if (event != Event::restart)
                compare_survivors();
            place_.wall.stand(never_forget_s);
            for (auto& one : twins_)
                one = make_twins(one.life);
            return;
        }
        // What was silent all the time is made known only by compare().
        if (event != Event::table_lost)
            place_.wall.stand(never_forget_s);
        live_for(milliseconds(random_() % 2000), false);
        for (auto& one : twins_)
            compare(one);
        place_.wall.stand(never_forget_s);
    }

    [[nodiscard]] long resets() const {
        return place_.scene.ballastd.status().at("half_open").at("reset").get<long>();
    }

private:
    /// At first nothing is governed, so that the path can be tried.
    static std::string policy_for(const std::string& to = "203.0.113.1:1") {
        return policy({{.to = {to}, .mode = "enforce"}}) +
               "half_open = { mode = \"enforce\", action = \"reset\" }\n"
               "breaker = { mode = \"enforce\" }\n"
               "keepalive = { mode = \"enforce\" }\nkeepalive_start = \"1s\"\n";
    }

    Flow connect_to(Listener& listener, const char* whose) {
        auto made = attempt(place_.wall.link().client, listener.dest());
        check_errno(made.error, 0, fmt::format("connect(), {}, after: {}", whose, story_));
        return {std::move(made.socket), listener.accept()};
    }

    Twins make_twins(Life life) {
        Twins made{life, connect_to(place_.listener, "governed"), connect_to(control_, "control")};
        for (Flow* flow : {&made.governed, &made.control}) {
            for (int i = 0; i < 5; ++i)
                check(flow->works(false), "it works");
            if (life == Life::half_closed)
                flow->close_server_side();
        }
        return made;
    }

    void begin(Event event) {
        switch (event) {
        case Event::cut:
            place_.wall.shut();
            break;
        case Event::cut_there:
            place_.wall.hold_acks();
            break;
        case Event::lossy:
            place_.wall.lose(20);
            break;
        case Event::swallows_large:
            place_.wall.swallow(1280);
            break;
        case Event::pause:
            break;
        case Event::restart:
            for (auto& one : twins_) {
                one.governed.abort();
                one.control.abort();
            }
            break;
        case Event::table_lost:
            place_.wall.lose_table("accept");
            break;
        case Event::table_lost_dropped:
            place_.wall.lose_table("drop");
            break;
        case Event::table_lost_reset:
            place_.wall.lose_table("meta l4proto tcp reject with tcp reset");
            break;
        case Event::rebound:
            place_.wall.rebind();
            break;
        }
        is_restarted_ = event == Event::restart;
    }

    void live_for(milliseconds time, bool is_paused) {
        const auto until = Clock::now() + time;
        while (Clock::now() < until) {
            if (!is_restarted_)
                for (auto& one : twins_)
                    one.act(random_, is_paused);
            ::poll(nullptr, 0, 20);
        }
    }

    void compare(Twins& one) {
        const bool is_half_closed = one.life == Life::half_closed;
        const bool lives = one.control.works(is_half_closed);
        const bool lives_too = one.governed.works(is_half_closed);
        if (lives && !lives_too)
            fail(one.life);
        check(lives, "what struck the path was not for good: " + story_);
    }

    /// Of those whose control arrives within some seconds: the others may hang.
    void compare_survivors() {
        for (auto& one : twins_)
            for (Flow* flow : {&one.governed, &one.control})
                flow->ask(one.life == Life::half_closed);
        const auto all_arrived = [&] {
            bool all = true;
            for (auto& one : twins_)
                for (Flow* flow : {&one.governed, &one.control})
                    all = flow->arrived() && all;
            return all;
        };
        wait_until(all_arrived, seconds(3));
        for (auto& one : twins_)
            if (one.control.arrived() && !one.governed.goes_on())
                fail(one.life);
    }

    void fail(Life life) {
        for (const auto& line : log_lines(place_.scene, {"finding "}))
            note(line);
        fail_test(fmt::format("{} ended and its control lives: {}",
                              kLifeNames.at(static_cast<std::size_t>(life)), story_));
    }

    std::mt19937& random_;
    Place& place_;
    Listener& control_;
    std::vector<Twins> twins_;
    std::string story_;
    bool is_restarted_ = false;
};

long from_environment(const char* name, long otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtol(text, nullptr, 10) : otherwise;
}

void nothing_ends_whose_control_lives(const Family& family) {
    const auto seed = static_cast<std::uint32_t>(
        from_environment("BALLAST_RANDOM_SEED", static_cast<long>(std::random_device{}())));
    note(fmt::format("BALLAST_RANDOM_SEED={}", seed));
    std::mt19937 random(seed);
    auto& world = make<World>(family, random);
    const auto until = Clock::now() + seconds(from_environment("BALLAST_RANDOM_SECONDS", 40));
    unsigned rounds = 0;
    for (; Clock::now() < until; ++rounds)
        world.round();
    note(fmt::format("{} rounds of 12 connections and their controls, {} resets", rounds,
                     world.resets()));
}

} // namespace

TEST_GROUP(no_harm_random) {
    return Suite()
        .host_each(walled_families, "nothing ends whose control lives",
                   nothing_ends_whose_control_lives)
        .run_at_once("no_harm_random", 2);
}

} // namespace test_no_harm_random
