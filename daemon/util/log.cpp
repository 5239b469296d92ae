// SPDX-License-Identifier: Apache-2.0
#include "daemon/util/log.h"

#include <cstdlib>
#include <memory>

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ballast {

namespace {

/// systemd.exec(5): $JOURNAL_STREAM is "DEVICE:INODE" of the stream it connected.
bool stderr_is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status {};
    return stream && ::fstat(STDERR_FILENO, &status) == 0 &&
           fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

spdlog::level::level_enum level_of(log::Level level) {
    switch (level) {
    case log::Level::debug:
        return spdlog::level::debug;
    case log::Level::info:
        return spdlog::level::info;
    case log::Level::warning:
        return spdlog::level::warn;
    case log::Level::error:
        return spdlog::level::err;
    case log::Level::critical:
        break;
    }
    return spdlog::level::critical;
}

} // namespace

void start_log(const std::string& level) {
    std::shared_ptr<spdlog::logger> logger;
    if (stderr_is_journal()) {
        logger = std::make_shared<spdlog::logger>(
            "ballastd", std::make_shared<spdlog::sinks::systemd_sink_mt>("ballastd"));
    } else {
        logger = std::make_shared<spdlog::logger>(
            "ballastd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    }
    logger->set_level(spdlog::level::from_str(level));
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
}

bool log::is_on(Level level) {
    return spdlog::should_log(level_of(level));
}

void log::write(Level level, std::string_view message) {
    spdlog::log(level_of(level), message);
}

} // namespace ballast
