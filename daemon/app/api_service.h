// SPDX-License-Identifier: Apache-2.0
// The API: what it answers, and where.
#pragma once

#include <memory>

#include "daemon/api/agent.h"
#include "daemon/api/server.h"
#include "daemon/app/api_backend.h"
#include "daemon/app/options.h"

namespace ballast::app {

class ApiService {
public:
    /// Listens in options.runtime_dir.
    static Result<std::unique_ptr<ApiService>> start(const ApiBackend::Parts& parts,
                                                     const Options& options);

    /// Listens on the loopback ports that the policy names, too.
    void follow(const Policy& policy);

    [[nodiscard]] ApiBackend& backend() { return backend_; }

    /// Answers nobody from now on.
    void close() {
        server_.reset();
        agent_.reset();
    }

private:
    ApiService(const ApiBackend::Parts& parts, const Options& options)
        : backend_(parts, options.bpffs_dir) {}

    ApiBackend backend_;
    std::unique_ptr<api::Server> server_;
    std::unique_ptr<api::Agent> agent_;
};

} // namespace ballast::app
