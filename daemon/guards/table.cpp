// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/table.h"

#include <array>

#include "daemon/guards/breaker/wiring/breaker_keeper.h"
#include "daemon/guards/half_open/wiring/flow_keeper.h"
#include "daemon/guards/keepalive/wiring/path_keeper.h"
#include "daemon/guards/limit/wiring/limit_keeper.h"
#include "daemon/guards/listeners/wiring/listener_keeper.h"
#include "daemon/guards/listeners/wiring/shed_keeper.h"
#include "daemon/guards/ports/wiring/port_keeper.h"

namespace ballast::guards {

std::span<const GuardRow> guard_table() {
    static constexpr std::array rows{
        GuardRow{"limit", Thread::main, LimitKeeper::make},
        GuardRow{"breaker", Thread::main, BreakerKeeper::make},
        GuardRow{"ports", Thread::main, PortKeeper::make},
        GuardRow{"listeners", Thread::main, ListenerKeeper::make},
        GuardRow{"shed", Thread::main, ShedKeeper::make},
        GuardRow{"half_open", Thread::observer, FlowKeeper::make},
        GuardRow{"keepalive", Thread::observer, PathKeeper::make},
    };
    return rows;
}

} // namespace ballast::guards
