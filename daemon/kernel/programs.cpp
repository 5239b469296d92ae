// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/programs.h"

#include <unistd.h>

#include "daemon/kernel/pins.h"
#include "daemon/kernel/programs_state.h"

namespace ballast::kernel {

Programs::Programs(std::unique_ptr<State> state) : state_(std::move(state)) {}
Programs::~Programs() = default;
Programs::Programs(Programs&&) noexcept = default;
Programs& Programs::operator=(Programs&&) noexcept = default;

Result<Programs> Programs::load(const LoadOptions& options) {
    auto state = std::make_unique<State>();
    state->options = options;
    auto cgroup = open_cgroup(options.cgroup);
    if (!cgroup)
        return fail(cgroup.error());
    state->cgroup = std::move(*cgroup);
    State* const s = state.get();
    auto loaded = s->prepare_pins()
                      .and_then([&] { return s->open_and_load(); })
                      .and_then([&] { return s->keep_programs(); })
                      .and_then([&] { return s->pin_maps(); })
                      .and_then([&] { return s->map_memory(); });
    if (loaded)
        s->stamp_control();
    loaded = loaded.and_then([&] { return s->attach(Stage::release); })
                 .and_then([&] { return s->attach(Stage::unload); })
                 .and_then([&]() -> Result<void> {
                     // tuning goes on where an earlier daemon left it
                     return s->is_pinned(hook_of(Stage::tuning)) ? s->attach(Stage::tuning)
                                                                 : Result<void>();
                 })
                 .and_then([&] { return s->attach(Stage::sweep); });
    if (!loaded) {
        s->abandon();
        return fail(loaded.error());
    }
    return Programs(std::move(state));
}

Result<void> Programs::attach_admission() {
    if (auto attached = state_->attach(Stage::admission); !attached)
        return attached;
    __atomic_store_n(&state_->maps.control->ready, 1, __ATOMIC_SEQ_CST);
    state_->skeleton.reset(); // links and maps hold what is needed; the ELF image is not
    for (std::size_t row = 0; row < kHooks.size(); ++row)
        if (kHooks.at(row).stage != Stage::tuning)
            state_->hooks.at(row).program.reset(); // its link holds it
    return {};
}

std::vector<LostHook> Programs::reattach_lost() {
    std::vector<LostHook> lost;
    for (std::size_t row = 0; row < kHooks.size(); ++row)
        state_->reattach(row, lost);
    return lost;
}

Result<void> Programs::start_tuning() {
    if (!is_tune_attached())
        if (auto attached = state_->attach(Stage::tuning); !attached)
            return attached;
    __atomic_store_n(&state_->maps.control->tuning, 1, __ATOMIC_SEQ_CST);
    return {};
}

void Programs::stop_tuning() {
    __atomic_store_n(&state_->maps.control->tuning, 0, __ATOMIC_SEQ_CST);
}

Result<void> Programs::detach_tune() {
    if (!is_tune_attached())
        return {};
    const std::string pin = link_pin(state_->options.bpffs_dir, hook_of(Stage::tuning).name);
    if (::unlink(pin.c_str()) && errno != ENOENT)
        return fail(Error::system(fmt::format("remove pin {}", pin), errno));
    state_->at(Stage::tuning).link.reset();
    return {};
}

bool Programs::is_tune_attached() const {
    return static_cast<bool>(state_->at(Stage::tuning).link);
}

Maps& Programs::maps() {
    return state_->maps;
}
int Programs::report_program() const {
    return state_->report_program.get();
}
Sweeper::Links Programs::sweep_links() const {
    return {.sockets = state_->hooks.at(hook_index("sweep")).link.get(),
            .files = state_->hooks.at(hook_index("sweep_files")).link.get()};
}
bool Programs::adopted() const {
    return state_->adopted;
}
const CgroupRoot& Programs::cgroup() const {
    return state_->cgroup;
}
const std::vector<std::string>& Programs::notices() const {
    return state_->notices;
}

} // namespace ballast::kernel
