// SPDX-License-Identifier: Apache-2.0
#include "daemon/findings/findings.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace ballast::findings {
namespace {

std::string line_of(const Finding& finding) {
    if (finding.destination.port == 0)
        return fmt::format("finding reason={} {}", name_of(finding.reason), finding.evidence);
    return fmt::format("finding reason={} destination={} service={} {}", name_of(finding.reason),
                       finding.destination.text(), finding.service, finding.evidence);
}

/// Findings of the store precede those in memory.
void join(FindingPage& page, FindingPage older, const FindingQuery& query) {
    page.total += older.total;
    older.rows.insert(older.rows.end(), std::make_move_iterator(page.rows.begin()),
                      std::make_move_iterator(page.rows.end()));
    page.rows = std::move(older.rows);
    if (page.rows.size() <= query.limit)
        return;
    const auto surplus = static_cast<std::ptrdiff_t>(page.rows.size() - query.limit);
    if (query.after)
        page.rows.erase(page.rows.end() - surplus, page.rows.end());
    else
        page.rows.erase(page.rows.begin(), page.rows.begin() + surplus);
}

} // namespace

void Findings::say_once(bool& said, std::string_view line) const {
    if (!std::exchange(said, true))
        say(Severity::critical, line);
}

void Findings::say_unsaved(const Error& error) {
    say_once(has_failed_to_save_,
             fmt::format("findings are not saved (retrying, counted): {}", error.text()));
}

void Findings::open(const std::filesystem::path& file, const FindingStore::Bounds& bounds) {
    const std::scoped_lock both(store_mutex_, mutex_);
    auto store = FindingStore::open(file, bounds);
    const auto given = store.and_then([](const FindingStore& s) { return s.ids_given(); });
    auto newest = store.and_then([](FindingStore& s) {
        return s.find({.limit = Recent::most}, std::numeric_limits<std::uint64_t>::max());
    });
    if (!given || !newest) {
        ++saves_failed_;
        say(Severity::critical, fmt::format("findings will not outlive this daemon: {}",
                                            (given ? newest.error() : given.error()).text()));
        return;
    }
    store_ = std::move(*store);
    unreadable_ = store_->unreadable();
    recent_.recall(std::move(newest->rows), *given);
    // a finding reported before the first save may be seen by somebody before a crash
    if (auto ahead = store_->put({}, *given + ids_ahead, outlet_->now().wall); !ahead) {
        ++saves_failed_;
        say_unsaved(ahead.error());
    }
    tidied_ = outlet_->now().monotonic;
    rows_ = store_->rows();
}

void Findings::add(Finding finding) {
    const auto severity = row_of(finding.reason).severity;
    const std::string line = line_of(finding);
    const auto now = outlet_->now();
    {
        const std::scoped_lock lock(mutex_);
        ++made_.at(static_cast<std::size_t>(finding.reason));
        recent_.add(std::move(finding), now);
    }
    say(severity, line);
}

SocketOwner Findings::owner_of(std::uint32_t netns, std::uint32_t inode) {
    const std::scoped_lock lock(owners_mutex_);
    return owners_.find(netns, inode, outlet_->now().monotonic);
}

Result<void> Findings::start_writer() {
    auto made = LoopThread::create("writer");
    if (!made)
        return fail(made.error());
    writer_ = std::move(*made);
    return writer_->start();
}

void Findings::save_soon() {
    if (writer_->busy_for().count() == 0)
        writer_->post([this] { save(); });
}

bool Findings::stop_writer(std::chrono::nanoseconds at_most) {
    return !writer_ || writer_->stop(at_most);
}

void Findings::save() {
    const std::scoped_lock store_lock(store_mutex_);
    write(ids_ahead, outlet_->now().monotonic - tidied_ >= tidy_interval);
}

void Findings::close() {
    const std::scoped_lock store_lock(store_mutex_);
    write(0, true);
}

/// is_due: write even if there is nothing to save.
void Findings::write(std::uint64_t ahead, bool is_due) {
    const auto now = outlet_->now();
    std::vector<KeptFinding> unsaved;
    std::uint64_t last = 0;
    {
        const std::scoped_lock lock(mutex_);
        if (!store_ || (recent_.unsaved() == 0 && !is_due))
            return;
        unsaved = recent_.take_unsaved();
        writing_ = unsaved.size();
        last = recent_.last_id();
    }
    const auto saved = store_->put(unsaved, last + ahead, now.wall);
    {
        const std::scoped_lock lock(mutex_);
        rows_ = store_->rows();
        writing_ = 0;
        if (!saved) {
            recent_.put_back(unsaved);
            ++saves_failed_;
        }
    }
    if (!saved) {
        say_unsaved(saved.error());
        return;
    }
    tidied_ = now.monotonic;
    if (std::exchange(has_failed_to_save_, false))
        say(Severity::warning, "findings are saved again");
}

FindingPage Findings::page(const FindingQuery& query) {
    const std::unique_lock store_lock(store_mutex_, patience);
    FindingPage page;
    std::uint64_t first = 0;
    {
        const std::scoped_lock lock(mutex_);
        page = recent_.page(query);
        first = recent_.first_id();
    }
    if (query.after && *query.after + 1 >= first)
        return page;
    if (!store_lock) {
        page.is_whole = false;
        return page;
    }
    if (!store_)
        return page;
    auto older = store_->find(query, first);
    if (!older) {
        page.is_whole = false;
        say_once(has_failed_to_read_,
                 fmt::format("earlier findings cannot be read: {}", older.error().text()));
        return page;
    }
    has_failed_to_read_ = false;
    join(page, std::move(*older), query);
    const std::scoped_lock lock(mutex_);
    unreadable_ = store_->unreadable();
    return page;
}

FindingsStatus Findings::status() {
    FindingsStatus status;
    {
        const std::scoped_lock lock(owners_mutex_);
        status.owners_skipped = owners_.skipped();
    }
    const std::scoped_lock lock(mutex_);
    status.made = made_;
    status.coalesced = recent_.coalesced();
    status.kept = rows_;
    status.unsaved = recent_.unsaved() + writing_;
    status.lost = recent_.lost();
    status.saves_failed = saves_failed_;
    status.unreadable = unreadable_;
    return status;
}

} // namespace ballast::findings
