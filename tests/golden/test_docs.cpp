// SPDX-License-Identifier: Apache-2.0
// docs/cli*.md show what `ballast` prints: each transcript in them is one of the golden files,
// whole.
#include <filesystem>

#include "tests/golden/golden.h"
#include "tests/harness/check.h"
#include "tests/harness/group.h"
#include "tests/harness/process.h"
#include "tests/harness/suite.h"

namespace test_docs {

namespace {

using namespace ballast::test;

const std::string kFence = "```\n";

/// The text of every block that starts with "$ ballast".
std::vector<std::string> transcripts(const std::string& document) {
    const std::string start = "```console\n";
    std::vector<std::string> found;
    for (std::size_t at = document.find(start); at != std::string::npos;
         at = document.find(start, at)) {
        at += start.size();
        const std::size_t end = document.find(kFence, at);
        found.push_back(document.substr(at, end - at));
        at = end + kFence.size();
    }
    return found;
}

/// All golden files, without the lines that only tests have.
std::string printed() {
    std::string all;
    for (const auto& file : std::filesystem::directory_iterator(golden_dir() + "/expected"))
        all += read_file(file.path());
    for (const std::string_view line : {"[exit 0]\n", "[stderr]\n"})
        for (std::size_t at = all.find(line); at != std::string::npos; at = all.find(line, at))
            all.erase(at, line.size());
    return all;
}

void every_transcript_is_printed() {
    const auto shown = transcripts(
        read_file(golden_dir() + "/cli.md") + read_file(golden_dir() + "/cli-breaker.md") +
        read_file(golden_dir() + "/cli-discover.md") + read_file(golden_dir() + "/cli-events.md"));
    check(shown.size() > 10, "docs/cli*.md show the verbs");
    const std::string all = printed();
    for (const std::string& text : shown)
        check(all.find(text) != std::string::npos,
              "ballast prints what docs/cli*.md show: " + text);
}

} // namespace

TEST_GROUP(docs) {
    return Suite().add("every_transcript_is_printed", every_transcript_is_printed).run("docs");
}

} // namespace test_docs
