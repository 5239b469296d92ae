// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/policy_watch.h"

#include <array>
#include <string_view>

#include <sys/inotify.h>
#include <unistd.h>

#include "daemon/config/policy_files.h"

namespace ballast::policy {

namespace {

/// Tools write several files, and files in several steps; one reload is enough.
constexpr std::chrono::milliseconds settle_time{200};

constexpr std::uint32_t changes =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE;

bool is_policy(std::string_view name, const std::filesystem::path& policy_file) {
    return name.ends_with(".toml") || name == policy_file.filename().string() ||
           name == drop_in_directory(policy_file).filename().string();
}

} // namespace

Result<std::unique_ptr<PolicyWatch>> PolicyWatch::start(EventLoop& loop,
                                                        std::filesystem::path policy_file,
                                                        std::function<void()> changed) {
    std::unique_ptr<PolicyWatch> watch(new PolicyWatch(std::move(policy_file)));
    watch->inotify_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!watch->inotify_)
        return fail(Error::system("create an inotify instance", errno));
    auto settled = loop.timer(std::move(changed));
    if (!settled)
        return fail(settled.error());
    watch->settled_ = std::move(*settled);
    PolicyWatch* const self = watch.get();
    auto readable = loop.on_readable(watch->inotify_.get(), [self] { self->on_events(); });
    if (!readable)
        return fail(readable.error());
    watch->readable_ = std::move(*readable);
    watch->watch();
    return watch;
}

void PolicyWatch::watch() {
    (void)read_events();
    settled_.disarm();
    for (const auto& directory : {policy_file_.parent_path(), drop_in_directory(policy_file_)})
        ::inotify_add_watch(inotify_.get(), directory.c_str(), changes);
}

/// Whether any event was for one of our files.
bool PolicyWatch::read_events() {
    alignas(inotify_event) std::array<char, 4096> buffer;
    bool is_ours = false;
    for (;;) {
        const ssize_t got = ::read(inotify_.get(), buffer.data(), buffer.size());
        if (got <= 0)
            break;
        for (ssize_t at = 0; at < got;) {
            const auto* event =
                reinterpret_cast<const inotify_event*>(&buffer[static_cast<std::size_t>(at)]);
            is_ours = is_ours || (event->mask & IN_Q_OVERFLOW) ||
                      (event->len && is_policy(event->name, policy_file_));
            at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
        }
    }
    return is_ours;
}

void PolicyWatch::on_events() {
    if (read_events())
        settled_.arm(settle_time);
}

} // namespace ballast::policy
