// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/api_service.h"

#include <utility>

#include "daemon/util/log.h"

namespace ballast::app {

Result<std::unique_ptr<ApiService>> ApiService::start(const ApiBackend::Parts& parts,
                                                      const Options& options) {
    std::unique_ptr<ApiService> made(new ApiService(parts, options));
    auto server =
        api::Server::start(parts.loop.get(), made->backend_, {.runtime_dir = options.runtime_dir});
    if (!server)
        return fail(server.error());
    made->server_ = std::move(*server);
    made->agent_ = std::make_unique<api::Agent>(parts.loop.get(), made->backend_);
    return made;
}

void ApiService::follow(const Policy& policy) {
    if (auto listening = server_->listen_tcp(policy.daemon.metrics_listen); !listening)
        log::error("{}", listening.error().text());
    if (auto listening = agent_->listen(policy.daemon.agent_listen); !listening)
        log::error("{}", listening.error().text());
}

} // namespace ballast::app
