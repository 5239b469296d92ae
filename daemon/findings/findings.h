// SPDX-License-Identifier: Apache-2.0
// The single entry point for reports: a finding is logged, counted, kept in memory and saved in the
// store's file. Any thread may call anything here; calls touch memory only, except save() and
// page(), which read and write the file. Saving has a thread of its own: the file system may be
// slow or frozen.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/findings/owner.h"
#include "daemon/findings/recent.h"
#include "daemon/model/snapshot.h"
#include "daemon/store/finding_store.h"
#include "daemon/util/loop_thread.h"

namespace ballast::findings {

/// What findings need of the daemon: its clocks and its log.
class Outlet {
public:
    Outlet() = default;
    Outlet(const Outlet&) = delete;
    Outlet& operator=(const Outlet&) = delete;
    virtual ~Outlet() = default;

    [[nodiscard]] virtual Recent::Now now() const = 0;
    virtual void write(Severity severity, std::string_view line) = 0;
};

class Findings {
public:
    /// Ids that may be given between two saves without being given again after a crash.
    static constexpr std::uint64_t ids_ahead = Recent::most;
    /// A query waits no longer than this for the file.
    static constexpr std::chrono::milliseconds patience{100};
    /// Findings that are too old are removed at least this often.
    static constexpr std::chrono::hours tidy_interval{1};

    /// `proc` is "/proc", where owners of sockets are looked for.
    explicit Findings(std::unique_ptr<Outlet> outlet, std::string proc = "/proc")
        : outlet_(std::move(outlet)), owners_(std::move(proc)) {}

    /// Loads the history from a file that Store::open() has opened, before anything is added. A
    /// failure is reported, and findings are then kept in memory only.
    void open(const std::filesystem::path& file, const FindingStore::Bounds& bounds = {});

    void add(Finding finding);

    /// The process that has a socket open; unknown (pid 0) if none has, or after too many lookups.
    SocketOwner owner_of(std::uint32_t netns, std::uint32_t inode);

    /// Starts the thread that saves.
    Result<void> start_writer();
    /// For others who write to the same file.
    [[nodiscard]] LoopThread& writer() { return *writer_; }
    /// Has it write what is unsaved, unless it is at it: call it once a second.
    void save_soon();
    /// Ends the thread; false: the file system has held it for `at_most`. Then nothing here may be
    /// destroyed.
    bool stop_writer(std::chrono::nanoseconds at_most);

    /// Writes unsaved findings in one transaction. A failure is reported once and counted; the
    /// write is retried.
    void save();
    /// The last save; nothing is added afterwards, so ids continue without a gap.
    void close();

    /// If a write to the file takes longer than `patience`, only what is in memory.
    FindingPage page(const FindingQuery& query);
    FindingsStatus status();

private:
    void say(Severity severity, std::string_view line) const { outlet_->write(severity, line); }
    void write(std::uint64_t ahead, bool is_due);
    void say_once(bool& said, std::string_view line) const;
    void say_unsaved(const Error& error);

    std::unique_ptr<Outlet> outlet_;
    std::unique_ptr<LoopThread> writer_;

    std::mutex owners_mutex_;
    OwnerFinder owners_;

    std::mutex mutex_; ///< never held while waiting for anything else
    Recent recent_;
    std::array<std::uint64_t, kReasons.size()> made_{};
    std::uint64_t saves_failed_ = 0;
    std::size_t rows_ = 0;    ///< of the store
    std::size_t writing_ = 0; ///< findings that a write under way has taken: not saved yet
    std::uint64_t unreadable_ = 0;

    std::timed_mutex store_mutex_; ///< taken before mutex_
    std::optional<FindingStore> store_;
    std::chrono::steady_clock::time_point tidied_{};
    bool has_failed_to_save_ = false;
    bool has_failed_to_read_ = false;
};

} // namespace ballast::findings
