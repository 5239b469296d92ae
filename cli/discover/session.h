// SPDX-License-Identifier: Apache-2.0
// Executes the commands of a Discovery on real connections, and reports the outcomes to it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include <poll.h>

#include "cli/discover/discovery.h"
#include "cli/discover/flow_socket.h"
#include "cli/discover/target.h"
#include "daemon/util/error.h"

namespace ballast::cli {

class Session {
public:
    struct Progress {
        discovery::Findings findings;
        discovery::Gap elapsed{0};
        std::size_t open = 0;
        std::optional<discovery::Gap> next_probe; ///< from now
    };
    using Show = std::function<void(const Progress&)>;

    struct Report {
        discovery::Findings findings;
        discovery::Gap elapsed{0};
        bool interrupted = false;
        int error = 0; ///< errno of the last connection that could not be opened or was lost
    };

    Session(const Peer& peer, const discovery::DiscoveryOptions& options)
        : peer_(peer), discovery_(options) {}

    /// Until it is done, or `interrupted` (a signalfd) is readable. All connections are closed when
    /// it returns. `show` is called several times a second. Fails where the host itself does.
    Result<Report> run(int interrupted, const Show& show);

private:
    using Time = discovery::Discovery::Time;
    using Flow = discovery::Discovery::Flow;

    struct Connection {
        FlowSocket socket;
        Time begun;
        bool connected = false;
        bool probed = false;
        Time looked_at;           ///< last
        FlowSocket::Sight seen{}; ///< then
    };
    using Connections = std::map<Flow, Connection>;

    Result<bool> wait(int interrupted);
    Result<void> obey();
    void open(Flow flow);
    void end(Flow flow, discovery::Discovery::Act how);
    void take_event(Flow flow, short events);
    Result<void> connected(Flow flow);
    void lost(Flow flow, int error);
    Result<void> look_at_all();
    Result<void> look_at(Flow flow, Connection& connection);
    void give_up_connecting();
    [[nodiscard]] int wait_ms() const;
    [[nodiscard]] Progress progress() const;

    Peer peer_;
    discovery::Discovery discovery_;
    Connections connections_;
    Time begun_;
    int error_ = 0;
};

} // namespace ballast::cli
