// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/port_entry.h"

namespace ballast {

void read_ports(const TableReader& reader, Reliefs& host) {
    reader.fill(host, "relief", kReliefNames);
    reader.refuse_the_rest();
}

void read_ports(const TableReader& reader, ServiceEntry& entry, ProblemList& warnings) {
    entry.ports_mode = reader.choice<Mode>("mode", kModeNames);
    if (reader.has("relief")) {
        entry.relief.emplace();
        reader.fill(*entry.relief, "relief", kReliefNames);
    }
    if (entry.ports_mode == Mode::enforce && entry.relief && entry.relief->empty())
        warnings.add(reader.place("mode"), reader.full_key("mode"),
                     "enforces nothing: relief is empty");
    reader.refuse_the_rest();
}

} // namespace ballast
