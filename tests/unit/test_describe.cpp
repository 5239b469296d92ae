// SPDX-License-Identifier: Apache-2.0
// cli/describe: the manual page and completions hold every verb and option of the real command
// line, and none that is hidden; texts that would break out of a file's language do not.
#include <string>

#include "cli/describe/describe.h"
#include "cli/verbs/verbs.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_describe {

namespace {

using namespace ballast;
using namespace ballast::describe;

void holds(const std::string& text, const std::string& part) {
    if (text.find(part) == std::string::npos)
        fail_msg("it does not hold '%s':\n%s", part.c_str(), text.c_str());
}

std::string escaped(const std::string& option) {
    std::string text;
    for (const char c : option)
        text += c == '-' ? "\\-" : std::string(1, c);
    return text;
}

void every_verb_is_described(void**) {
    const std::string page = man_page(cli::program(), {.version = "1"});
    const std::string bash = bash_completion(cli::program());
    const std::string zsh = zsh_completion(cli::program());
    const std::string fish = fish_completion(cli::program());
    const auto verbs = verbs_of(cli::program());
    assert_true(verbs.size() > 10);
    for (const Verb& verb : verbs) {
        if (verb.command->commands.empty())
            holds(page, ".SS \"" + verb.text());
        holds(bash, "'" + verb.text() + "'");
        holds(zsh, "'" + verb.words.back() + ":");
        holds(fish, " -a " + verb.words.back() + " -d ");
        for (const Parameter& parameter : verb.command->parameters) {
            if (parameter.is_positional())
                continue;
            holds(page, escaped(parameter.name));
            holds(bash, parameter.name + " ");
            holds(zsh, "'" + parameter.name + "[");
            holds(fish, " -l " + parameter.name.substr(2));
        }
    }
}

void the_hidden_is_left_out(void**) {
    for (const Verb& verb : verbs_of(cli::program()))
        assert_string_not_equal(verb.words.back().c_str(), "complete");
    assert_true(man_page(cli::program(), {}).find(".SS \"complete") == std::string::npos);
}

/// A program whose texts hold what is special in each language.
Program awkward() {
    return {
        {.name = "tool",
         .summary = ".hidden isn't [a: \\ macro]",
         .parameters = {{.name = "--flag", .help = "it's [odd]: \\x", .takes = Takes::nothing}}},
        "1",
        "'tis a footer"};
}

void texts_stay_texts(void**) {
    const std::string page = man_page(awkward(), {.description = ".SH EVIL\n'br\n"});
    holds(page, "\\&.SH EVIL\n\\&'br\n");
    holds(page, "\\&'tis a footer");
    holds(page, "it's [odd]: \\ex.");
    holds(zsh_completion(awkward()), "'--flag[it'\\''s \\[odd\\]\\: \\\\x]'");
    holds(fish_completion(awkward()), "'it\\'s [odd]: \\\\x'");
}

} // namespace

TEST_GROUP(describe) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_is_described),
        cmocka_unit_test(the_hidden_is_left_out),
        cmocka_unit_test(texts_stay_texts),
    };
    return cmocka_run_group_tests_name("describe", tests, nullptr, nullptr);
}

} // namespace test_describe
