// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/programs.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include "daemon/kernel/pins.h"
#include "daemon/kernel/programs_state.h"

namespace ballast::kernel {

namespace {

std::uint64_t misses_of(const Fd& link) {
    bpf_link_info of_link{};
    __u32 length = sizeof(of_link);
    if (::bpf_obj_get_info_by_fd(link.get(), &of_link, &length))
        return 0;
    const Fd program(::bpf_prog_get_fd_by_id(of_link.prog_id));
    bpf_prog_info info{};
    length = sizeof(info);
    return program && !::bpf_obj_get_info_by_fd(program.get(), &info, &length)
               ? info.recursion_misses
               : 0;
}

} // namespace

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
                 .and_then([&] { return s->attach_traced(); })
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
        if (kHooks.at(row).stage != Stage::tuning && kHooks.at(row).stage != Stage::traced)
            state_->hooks.at(row).program.reset(); // its link holds it
    return {};
}

std::vector<LostHook> Programs::reattach_lost() {
    std::vector<LostHook> lost;
    for (std::size_t row = 0; row < kHooks.size(); ++row)
        state_->reattach(row, lost);
    return lost;
}

Result<void> Programs::start_tracing() {
    state_->traced_until = state_->maps.control->sweep + State::sweeps_until_watched;
    return state_->at(Stage::traced).link ? Result<void>() : state_->attach(Stage::traced);
}

Result<void> Programs::trace_if_needed() {
    const ballast_control& control = state_->maps.control[0];
    const bool has_met = control.unwatched != 0 && control.sweep - control.unwatched < 2;
    if (has_met || control.lost_watch || !control.can_watch)
        return start_tracing();
    const bool is_over = static_cast<std::int32_t>(control.sweep - state_->traced_until) >= 0;
    return is_over && state_->at(Stage::traced).link ? state_->detach(Stage::traced)
                                                     : Result<void>();
}

bool Programs::is_tracing_for_a_while() const {
    return state_->maps.control->can_watch && !has_lost_watch() && state_->at(Stage::traced).link;
}

bool Programs::has_lost_watch() const {
    return state_->maps.control->lost_watch != 0;
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
    return state_->detach(Stage::tuning);
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
std::uint64_t Programs::recursion_misses() const {
    std::uint64_t sum = 0;
    for (const auto& hook : state_->hooks)
        sum += hook.link ? misses_of(hook.link) : 0;
    return sum;
}
bool Programs::adopted() const {
    return state_->adopted;
}
const std::string& Programs::bpffs_dir() const {
    return state_->options.bpffs_dir;
}

const CgroupRoot& Programs::cgroup() const {
    return state_->cgroup;
}
const std::vector<std::string>& Programs::notices() const {
    return state_->notices;
}

} // namespace ballast::kernel
