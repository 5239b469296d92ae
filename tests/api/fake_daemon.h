// SPDX-License-Identifier: Apache-2.0
// The real API server in a process of its own, in front of a FakeBackend.
#pragma once

#include <string>

#include "cli/http.h"
#include "tests/api/scenes.h"
#include "tests/harness/process.h"

namespace ballast::test {

class FakeDaemon {
public:
    /// Serves when it returns, at `tcp` ("127.0.0.1:PORT") too unless that is empty; the test fails
    /// otherwise.
    explicit FakeDaemon(Scene scene, const std::string& tcp = {});

    [[nodiscard]] const std::string& runtime_dir() const { return runtime_dir_; }
    [[nodiscard]] std::string socket(bool control) const;
    [[nodiscard]] Process& process() { return process_; }

    /// One exchange; the test fails where no answer comes.
    [[nodiscard]] cli::HttpReply ask(const std::string& method, const std::string& path,
                                     const std::string& body = {}, bool control = true) const;

private:
    std::string runtime_dir_;
    Process process_;
};

} // namespace ballast::test
