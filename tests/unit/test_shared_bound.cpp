// SPDX-License-Identifier: Apache-2.0
// daemon/guards/shared_bound: what a destination takes from its neighbours, and what never.
#include <array>
#include <random>

#include "daemon/guards/keepalive/keepalive_choice.h"
#include "daemon/guards/keepalive/shared_bound.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_shared_bound {

namespace {

using namespace ballast::guards;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// Seconds; 0: not known.
struct Known {
    int survived = 0;
    int died = 0;
    bool unsettled = false;
};

IdleBracket bracket(const Known& known) {
    const auto time = [](int seconds) {
        return seconds ? std::optional<milliseconds>(std::chrono::seconds(seconds)) : std::nullopt;
    };
    return {time(known.survived), time(known.died), known.unsettled};
}

constexpr bool unsettled = true;

void what_holds(void**) {
    struct Case {
        const char* what;
        Known own;
        Known prefix;
        Known holds;
        bool is_shared = true;
    };
    for (const Case& c : std::array{
             Case{"nobody knows", {}, {}, {}, false},
             Case{"only neighbours know", {}, {300, 350}, {300, 350}},
             Case{"they lived only", {}, {300, 0}, {300, 0}},
             Case{"they were dropped only", {}, {0, 40}, {0, 40}},
             Case{"they contradict each other", {}, {30, 40, unsettled}, {30, 40, unsettled}},
             Case{"it was heard of just now", {0, 0, unsettled}, {300, 350}, {300, 350}},
             Case{"a short silence is no news", {5, 0, unsettled}, {300, 350}, {300, 350}},
             Case{"its own is more", {300, 0}, {200, 0}, {300, 0}, false},
             Case{"both know the same", {300, 350}, {300, 350}, {300, 350}, false},
             Case{"unsettled neighbours", {100, 0}, {200, 250, unsettled}, {100, 250}},
             Case{"a drop of theirs is heeded", {30, 0}, {0, 40}, {30, 40}},
             Case{"even if it lived through somewhat more", {60, 0}, {20, 40}, {20, 40, unsettled}},
             Case{"not if it lived through twice as much", {80, 0}, {20, 40}, {80, 0}, false},
             Case{"what they lived through is no comfort", {0, 100}, {300, 350}, {0, 100}, false},
             Case{"not even below", {20, 100}, {90, 0}, {20, 100}, false},
             Case{"of two drops the sooner", {20, 100}, {20, 40}, {20, 40}},
             Case{"not if it lived through far more", {90, 100}, {20, 40}, {90, 100}, false},
             Case{"the prefix forgot", {60, 100, unsettled}, {}, {60, 100, unsettled}, false},
         }) {
        const auto got = share(bracket(c.own), bracket(c.prefix));
        if (got.bracket != bracket(c.holds) || got.is_shared != c.is_shared)
            fail_msg("%s: got %lld, %lld, unsettled %d, shared %d", c.what,
                     static_cast<long long>(got.bracket.survived.value_or(0s).count()),
                     static_cast<long long>(got.bracket.died.value_or(0s).count()),
                     got.bracket.unsettled, got.is_shared);
    }
}

class Draw {
public:
    IdleBracket bracket() {
        IdleBracket drawn;
        drawn.survived = maybe(2, 400);
        drawn.died = maybe(2, 500);
        drawn.unsettled = number(0, 3) == 0;
        if (drawn.survived && drawn.died && *drawn.survived >= *drawn.died)
            drawn.survived.reset();
        return drawn;
    }
    milliseconds start() { return std::chrono::seconds(number(1, 300)); }

private:
    int number(int least, int most) {
        return std::uniform_int_distribution<>(least, most)(random_);
    }
    std::optional<milliseconds> maybe(int least, int most) {
        if (number(0, 2) == 0)
            return std::nullopt;
        return std::chrono::seconds(number(least, most));
    }
    std::mt19937 random_{1};
};

/// Invariants 1 to 3.
void check_joined(const IdleBracket& own, const IdleBracket& prefix) {
    const auto both = share(own, prefix).bracket;
    assert_true(!both.survived || !both.died || *both.survived < *both.died);
    const bool overlaps = both.died && own.survived && *own.survived >= *both.died;
    if (overlaps)
        assert_true(*both.survived == *both.died / 2 && both.unsettled);
    else
        assert_true(both.survived.value_or(0s) >= own.survived.value_or(0s));
    if (own.died && !overlaps)
        assert_true(both.survived == own.survived && both.unsettled == own.unsettled);
    if (own.died)
        assert_true(both.died && *both.died <= *own.died);
    if (prefix.died && (!own.survived || *own.survived < 2 * *prefix.died))
        assert_true(both.died && *both.died <= *prefix.died);
    else
        assert_true(both.died == own.died);
}

/// What follows for keepalive: no later than by itself where its own were dropped, nor than the
/// prefix's drop that is heeded.
void check_choice(const IdleBracket& own, const IdleBracket& prefix, milliseconds start) {
    const auto both = share(own, prefix).bracket;
    const auto idle = longest_idle(both, start, std::chrono::hours(24));
    const auto by_itself = longest_idle(own, start, std::chrono::hours(24));
    if (own.died)
        assert_true(idle <= by_itself);
    if (prefix.died && (!own.survived || *own.survived < 2 * *prefix.died))
        assert_true(idle < *prefix.died);
    assert_true(idle <= std::max(by_itself, longest_idle(prefix, start, std::chrono::hours(24))));
}

/// Invariant 4, and one that showed nothing.
void check_alone(const IdleBracket& own, const IdleBracket& prefix) {
    const auto got = share(own, prefix);
    if (!got.is_shared)
        assert_true(got.bracket == own);
    assert_true(share(own, {}).bracket == own);
    assert_true(share({}, prefix).bracket.survived == prefix.survived);
    assert_true(share({}, prefix).bracket.died == prefix.died);
}

void for_all(void**) {
    Draw draw;
    for (int i = 0; i < 200'000; ++i) {
        const auto own = draw.bracket();
        const auto prefix = draw.bracket();
        check_joined(own, prefix);
        check_choice(own, prefix, draw.start());
        check_alone(own, prefix);
    }
}

} // namespace

TEST_GROUP(shared_bound) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(what_holds),
        cmocka_unit_test(for_all),
    };
    return cmocka_run_group_tests_name("shared_bound", tests, nullptr, nullptr);
}

} // namespace test_shared_bound
