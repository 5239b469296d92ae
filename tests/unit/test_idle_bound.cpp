// SPDX-License-Identifier: Apache-2.0
// The idle bound, event by event: what is known after a story, and what time makes of it.
#include <string>
#include <vector>

#include "daemon/guards/keepalive/idle_bound.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_idle_bound {

namespace {

using ballast::guards::IdleBound;
using ballast::guards::IdleBoundState;
using ballast::guards::IdleBracket;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Verdict = IdleBound::Verdict;

const IdleBound::Monotonic start{hours(1000)};

enum class Kind : std::uint8_t { acknowledged, dropped, nothing };

/// So often in a row, `after` one another.
struct Event {
    milliseconds after;
    Kind kind;
    milliseconds gap{0};
    int times = 1;
};

constexpr milliseconds none{0};

struct Story {
    const char* name;
    std::vector<Event> events;
    milliseconds survived;
    milliseconds died;
    bool unsettled = false;
};

IdleBound::Monotonic play(const std::vector<Event>& events, IdleBound& bound) {
    auto now = start;
    for (const Event& event : events)
        for (int i = 0; i < event.times; ++i) {
            now += event.after;
            if (event.kind == Kind::acknowledged)
                bound.survived(event.gap, now);
            else if (event.kind == Kind::dropped)
                bound.died(event.gap, now);
        }
    return now;
}

void check_story(const Story& story) {
    IdleBound bound;
    bound.survived(none, start - hours(1)); // an old acquaintance
    const auto now = play(story.events, bound);
    const IdleBracket got = bound.at(now);
    const auto survived = got.survived.value_or(none);
    const auto died = got.died.value_or(none);
    if (survived != story.survived || died != story.died || got.unsettled != story.unsettled)
        fail_msg("%s: got [%lld ms, %lld ms] unsettled %d, wanted [%lld ms, %lld ms] unsettled %d",
                 story.name, static_cast<long long>(survived.count()),
                 static_cast<long long>(died.count()), got.unsettled,
                 static_cast<long long>(story.survived.count()),
                 static_cast<long long>(story.died.count()), story.unsettled);
}

void check_stories(const std::vector<Story>& stories) {
    for (const Story& story : stories)
        check_story(story);
}

Event acknowledged(seconds gap, milliseconds after = seconds(1), int times = 1) {
    return {after, Kind::acknowledged, gap, times};
}

Event dropped(seconds gap, milliseconds after = seconds(1), int times = 1) {
    return {after, Kind::dropped, gap, times};
}

Event passing(milliseconds time) {
    return {time, Kind::nothing};
}

void evidence_narrows_the_bracket(void**) {
    check_stories({
        {"nothing", {}, none, none},
        {"one gap", {acknowledged(seconds(30))}, seconds(30), none},
        {"the longest gap counts",
         {acknowledged(seconds(30)), acknowledged(seconds(90)), acknowledged(seconds(3), none)},
         seconds(90),
         none},
        {"one drop", {dropped(seconds(400))}, none, seconds(400)},
        {"the shortest drop counts, a longer one is no news",
         {dropped(seconds(400), none), dropped(seconds(360), none), dropped(seconds(800), none)},
         none,
         seconds(360)},
        {"both sides",
         {acknowledged(seconds(340), none), dropped(seconds(360), none),
          acknowledged(seconds(345), none), dropped(seconds(355), none)},
         seconds(345),
         seconds(355)},
        {"too short to say anything",
         {{seconds(1), Kind::acknowledged, milliseconds(1999)},
          {seconds(1), Kind::dropped, milliseconds(1999)}},
         none,
         none},
        {"longer than anything", {acknowledged(hours(24 * 60))}, IdleBound::longest, none},
        {"a drop after a month says nothing", {dropped(hours(24 * 30))}, none, none},
    });
}

void evidence_ages(void**) {
    check_stories({
        {"survived halves in a week",
         {acknowledged(seconds(300)), passing(hours(168))},
         seconds(150),
         none},
        {"and is gone when it says nothing any more",
         {acknowledged(seconds(3)), passing(hours(168))},
         none,
         none},
        {"3/4 of it confirm it",
         {acknowledged(seconds(300)), acknowledged(seconds(225), hours(24), 30)},
         seconds(300),
         none},
        {"less do not",
         {acknowledged(seconds(300)), acknowledged(seconds(100), hours(24), 7)},
         seconds(150),
         none},
        {"died doubles in a quarter of an hour",
         {dropped(seconds(100)), passing(minutes(30))},
         none,
         seconds(400)},
        {"after a second incident in an hour",
         {dropped(seconds(100)), dropped(seconds(100), minutes(6)), passing(hours(2))},
         none,
         seconds(400)},
        {"many drops at once are one incident",
         {dropped(seconds(100), none, 50), passing(minutes(15))},
         none,
         seconds(200)},
        {"an old story is forgotten",
         {dropped(seconds(100)), dropped(seconds(50), hours(2)), passing(minutes(15))},
         none,
         seconds(100)},
    });
}

void contradictions_widen_the_bracket(void**) {
    check_stories({
        {"a drop below survived leaves half of what dropped",
         {acknowledged(seconds(300)), dropped(seconds(100), none)},
         seconds(50),
         seconds(100),
         true},
        {"one just below it moves it",
         {acknowledged(seconds(300)), dropped(seconds(290), none)},
         seconds(261),
         seconds(290)},
        {"what survived comes back as died rises",
         {acknowledged(seconds(300)), dropped(seconds(100), none), passing(minutes(15))},
         seconds(100),
         seconds(200)},
        {"as far as it was",
         {acknowledged(seconds(300)), dropped(seconds(100), none), passing(minutes(60))},
         milliseconds(298'764),
         seconds(1600)},
        {"not after a second incident",
         {acknowledged(seconds(300)), dropped(seconds(100), none),
          dropped(seconds(100), minutes(6)), passing(hours(4))},
         none,
         seconds(1600)},
        {"one gap beyond died unsettles it",
         {dropped(seconds(100)), acknowledged(seconds(200), none)},
         seconds(50),
         seconds(100),
         true},
        {"one just beyond it does not",
         {dropped(seconds(100)), acknowledged(seconds(105), none)},
         seconds(50),
         seconds(100)},
        {"nor does it count as survived after a second incident",
         {dropped(seconds(100)), dropped(seconds(100), minutes(6)),
          acknowledged(seconds(200), none)},
         none,
         seconds(100),
         true},
        {"15 do not discard it",
         {dropped(seconds(100)), acknowledged(seconds(200), none, 15)},
         seconds(50),
         seconds(100),
         true},
        {"16 do",
         {dropped(seconds(100)), acknowledged(seconds(200), none, 16)},
         seconds(200),
         none},
        {"for each drop",
         {dropped(seconds(100), none, 3), acknowledged(seconds(200), none, 47)},
         seconds(50),
         seconds(100),
         true},
        {"drops after longer gaps count there too",
         {dropped(seconds(100)), dropped(seconds(500)),
          acknowledged(seconds(200), milliseconds(1), 16)},
         milliseconds(50'039),
         milliseconds(100'078),
         true},
    });
}

void one_drop_amid_many_gaps_is_outvoted(void**) {
    struct Case {
        const char* name;
        std::vector<Event> before;
        Verdict verdict;
    };
    const std::vector<Case> cases{
        {"64 gaps as long", {acknowledged(seconds(300), none, 64)}, Verdict::outvoted},
        {"63", {acknowledged(seconds(300), none, 63)}, Verdict::counted},
        {"64 shorter ones", {acknowledged(seconds(50), none, 64)}, Verdict::counted},
        {"the second within 6 hours",
         {acknowledged(seconds(300), none, 64), dropped(seconds(100), none),
          acknowledged(seconds(300), none, 64), passing(minutes(359))},
         Verdict::counted},
        {"the second later",
         {acknowledged(seconds(300), none, 64), dropped(seconds(100), none),
          acknowledged(seconds(300), none, 64), passing(minutes(360))},
         Verdict::outvoted},
    };
    for (const Case& c : cases) {
        IdleBound bound;
        const auto now = play(c.before, bound);
        const IdleBracket before = bound.at(now);
        if (bound.died(seconds(100), now) != c.verdict)
            fail_msg("%s: not the verdict wanted", c.name);
        assert_true((bound.at(now) == before) == (c.verdict == Verdict::outvoted));
    }
}

void is_unsettled_at_first(void**) {
    IdleBound bound;
    assert_false(bound.at(start).unsettled);
    bound.survived(seconds(300), start);
    assert_true(bound.at(start).survived == milliseconds(seconds(300)));
    assert_true(bound.at(start + seconds(119)).unsettled);
    assert_false(bound.at(start + seconds(120)).unsettled);
}

/// The worst that one false alarm can do, where nothing else is ever seen.
void a_false_drop_is_forgotten_within_hours(void**) {
    IdleBound bound;
    bound.survived(seconds(300), start);
    bound.died(seconds(10), start);
    assert_true(bound.at(start).died == milliseconds(seconds(10)));
    const IdleBracket later = bound.at(start + minutes(90));
    assert_true(later.died > seconds(600));
    assert_true(later.survived > seconds(297));
    assert_false(later.unsettled);
}

void saved_and_restored(void**) {
    IdleBound bound;
    bound.survived(seconds(300), start);
    bound.died(seconds(200), start + seconds(1));
    bound.survived(seconds(150), start + seconds(2));
    bound.survived(seconds(250), start + seconds(3));
    const IdleBoundState state = bound.save(start + seconds(10));
    const IdleBoundState wanted{.survived_ms = 150'000,
                                .survived_age_ms = 8'000,
                                .died_ms = 200'000,
                                .died_age_ms = 9'000,
                                .held_back_ms = 300'000,
                                .held_back_age_ms = 10'000,
                                .last_drop_age_ms = 9'000,
                                .first_age_ms = 10'000,
                                .incidents = 1,
                                .drops = 1,
                                .agreeing = 1,
                                .contradicting = 1,
                                .contested = 1};
    assert_true(state == wanted);
    const IdleBound::Monotonic other_clock{seconds(5)};
    const auto restored = IdleBound::restore(state, hours(1), other_clock);
    assert_true(restored.has_value());
    assert_true(restored->at(other_clock) == bound.at(start + seconds(10) + hours(1)));
    assert_true(restored->at(other_clock + hours(2)) == bound.at(start + seconds(10) + hours(3)));
}

void what_cannot_have_been_saved_is_refused(void**) {
    struct Case {
        IdleBoundState state;
        const char* message;
    };
    const IdleBoundState good{
        .died_ms = 60'000, .died_age_ms = 5, .last_drop_age_ms = 5, .incidents = 1, .drops = 1};
    assert_true(IdleBound::restore(good, seconds(0), start).has_value());
    auto with = [&](auto change) {
        IdleBoundState state = good;
        change(state);
        return state;
    };
    const std::vector<Case> cases{
        {with([](auto& s) { s.survived_ms = 17, s.survived_age_ms = 0; }),
         "restoring an idle bound: survived_ms 17 is not 0 or in 2000..2592000000"},
        {with([](auto& s) { s.died_age_ms = -2; }),
         "restoring an idle bound: died_age_ms -2 is not in -1..315360000000"},
        {with([](auto& s) { s.incidents = 7; }),
         "restoring an idle bound: incidents 7 is not in 0..6"},
        {with([](auto& s) { s.contested = 2; }),
         "restoring an idle bound: contested 2 is not in 0..1"},
        {with([](auto& s) { s.died_age_ms = -1; }),
         "restoring an idle bound: a gap without an age, or an age without a gap"},
        {with([](auto& s) { s.incidents = 0; }), "restoring an idle bound: died_ms without a drop"},
        {with([](auto& s) { s.died_ms = 0, s.died_age_ms = -1; }),
         "restoring an idle bound: drops without died_ms"},
        {with([](auto& s) { s.survived_ms = 60'000, s.survived_age_ms = 0; }),
         "restoring an idle bound: survived_ms is not below died_ms"},
    };
    for (const Case& c : cases) {
        const auto restored = IdleBound::restore(c.state, seconds(0), start);
        assert_false(restored.has_value());
        assert_string_equal(restored.error().message().c_str(), c.message);
    }
}

} // namespace

TEST_GROUP(idle_bound) {
    const CMUnitTest tests[] = {cmocka_unit_test(evidence_narrows_the_bracket),
                                cmocka_unit_test(evidence_ages),
                                cmocka_unit_test(contradictions_widen_the_bracket),
                                cmocka_unit_test(one_drop_amid_many_gaps_is_outvoted),
                                cmocka_unit_test(is_unsettled_at_first),
                                cmocka_unit_test(a_false_drop_is_forgotten_within_hours),
                                cmocka_unit_test(saved_and_restored),
                                cmocka_unit_test(what_cannot_have_been_saved_is_refused)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_idle_bound
