// SPDX-License-Identifier: Apache-2.0
// `ballast listeners` and GET /v1/listeners (docs/openapi.json, ListenerRow).
#pragma once

#include <array>

#include "daemon/model/column.h"
#include "daemon/model/listener_row.h"

namespace ballast {

using ListenerColumn = ColumnOf<ListenerRow>;

inline Cell listener_queue_cell(const ListenerRow& row) {
    return std::vector<Member>{{"depth", row.depth}, {"limit", row.limit}};
}

inline constexpr std::array kListenerColumns{
    ListenerColumn{"state", name_field<&ListenerRow::state>, "STATE", Format::state},
    ListenerColumn{"endpoint", [](const ListenerRow& l) -> Cell { return l.local.text(); },
                   "LISTENER"},
    ListenerColumn{"netns", [](const ListenerRow& l) -> Cell { return l.netns; }, "NETNS",
                   Format::count, 6},
    ListenerColumn{"dual", [](const ListenerRow& l) -> Cell { return l.is_dual; }},
    ListenerColumn{"consumer", text_field<&ListenerRow::consumer_path>, "OWNER", Format::text, 2,
                   true},
    ListenerColumn{"queue", listener_queue_cell, "QUEUE", Format::own},
    ListenerColumn{"high_water", field<&ListenerRow::high_water>, "HIGH", Format::nonzero, 4},
    ListenerColumn{"oldest_ms", field<&ListenerRow::oldest>, "OLDEST", Format::ms},
    ListenerColumn{"stalled_ms", field<&ListenerRow::stalled>, "STALLED", Format::ms, 5, true},
    ListenerColumn{"requests", field<&ListenerRow::requests>, "SYN", Format::nonzero, 7, true},
    ListenerColumn{"overflows", field<&ListenerRow::overflows>, "OVERFLOWS", Format::nonzero},
    ListenerColumn{"drops", field<&ListenerRow::drops>, "DROPS", Format::nonzero, 3, true},
    ListenerColumn{"group_size", field<&ListenerRow::group_size>, "GROUP", Format::nonzero, 8,
                   true},
    ListenerColumn{"somaxconn", field<&ListenerRow::somaxconn>},
    ListenerColumn{"clipped", [](const ListenerRow& l) -> Cell { return l.is_clipped(); }},
    ListenerColumn{"inode", field<&ListenerRow::inode>},
};

} // namespace ballast
