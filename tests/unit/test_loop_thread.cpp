// SPDX-License-Identifier: Apache-2.0
// daemon/util/loop_thread: nobody waits for a thread that is held.
#include <future>
#include <vector>

#include "daemon/util/loop_thread.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_loop_thread {

namespace {

using namespace ballast;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds long_enough{30};

std::unique_ptr<LoopThread> started() {
    auto thread = LoopThread::create("test");
    assert_true(thread && (*thread)->start());
    return std::move(*thread);
}

void jobs_are_done_in_their_order(void**) {
    const auto thread = started();
    std::vector<int> done;
    for (int i = 0; i < 3; ++i)
        thread->post([&done, i] { done.push_back(i); });
    assert_true(thread->run([&] { done.push_back(3); }, long_enough));
    assert_true(done == (std::vector{0, 1, 2, 3}));
    assert_true(thread->stop(long_enough));
}

void what_was_posted_is_done_before_the_end(void**) {
    const auto thread = started();
    bool done = false;
    thread->post([&] { done = true; });
    assert_true(thread->stop(long_enough));
    assert_true(done);
    assert_true(thread->stop(long_enough)); // it has ended
}

void a_held_thread_is_not_waited_for(void**) {
    const auto thread = started();
    std::promise<void> let_go;
    std::promise<void> reached;
    thread->post([&] {
        reached.set_value();
        let_go.get_future().wait();
    });
    reached.get_future().wait();
    assert_false(thread->run([] {}, milliseconds(10)));
    assert_true(thread->busy_for() >= milliseconds(10));
    assert_false(thread->stop(milliseconds(10)));
    let_go.set_value();
    assert_true(thread->stop(long_enough));
    assert_true(thread->busy_for().count() == 0);
}

void timers_fire_in_the_thread(void**) {
    auto thread = LoopThread::create("test");
    assert_true(thread.has_value());
    std::promise<std::thread::id> fired;
    auto timer = (*thread)->loop().timer([&] { fired.set_value(std::this_thread::get_id()); });
    assert_true(timer.has_value());
    timer->arm(milliseconds(1));
    assert_true((*thread)->start().has_value());
    assert_true(fired.get_future().get() != std::this_thread::get_id());
    assert_true((*thread)->stop(long_enough));
}

} // namespace

TEST_GROUP(loop_thread) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_done_in_their_order),
        cmocka_unit_test(what_was_posted_is_done_before_the_end),
        cmocka_unit_test(a_held_thread_is_not_waited_for),
        cmocka_unit_test(timers_fire_in_the_thread),
    };
    return cmocka_run_group_tests_name("loop_thread", tests, nullptr, nullptr);
}

} // namespace test_loop_thread
