// SPDX-License-Identifier: Apache-2.0
#include "daemon/util/wall_time.h"

#include <ctime>
#include <optional>

#include "daemon/util/quote.h"

namespace ballast {
namespace {

namespace chrono = std::chrono;

constexpr bool is_decimal(char c) {
    return c >= '0' && c <= '9';
}

/// Takes from the front of a text; what has failed once stays so.
class TimeReader {
public:
    explicit TimeReader(std::string_view text) : rest_(text) {}

    /// Reads `digits` digits; 0 where they are missing or not from `least` to `most`.
    int number(std::size_t digits, int least, int most) {
        int value = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            if (i >= rest_.size() || !is_decimal(rest_[i]))
                return fail_here();
            value = 10 * value + (rest_[i] - '0');
        }
        rest_.remove_prefix(digits);
        return value < least || value > most ? fail_here() : value;
    }

    /// One of these; 0 where none is there.
    char one_of(std::string_view wanted) {
        if (rest_.empty() || wanted.find(rest_.front()) == std::string_view::npos)
            return static_cast<char>(fail_here());
        const char found = rest_.front();
        rest_.remove_prefix(1);
        return found;
    }

    /// ".25", if that comes next.
    chrono::nanoseconds fraction() {
        if (rest_.empty() || rest_.front() != '.')
            return chrono::nanoseconds(0);
        rest_.remove_prefix(1);
        is_good_ = is_good_ && !rest_.empty() && is_decimal(rest_.front());
        chrono::nanoseconds value{0};
        for (chrono::nanoseconds place = chrono::milliseconds(100);
             !rest_.empty() && is_decimal(rest_.front()); place /= 10) {
            value += place * (rest_.front() - '0');
            rest_.remove_prefix(1);
        }
        return value;
    }

    [[nodiscard]] bool is_done() const { return is_good_ && rest_.empty(); }

private:
    int fail_here() {
        is_good_ = false;
        return 0;
    }

    std::string_view rest_;
    bool is_good_ = true;
};

chrono::minutes read_offset(TimeReader& reader) {
    const char sign = reader.one_of("Zz+-");
    if (sign != '+' && sign != '-')
        return chrono::minutes(0);
    const chrono::hours whole(reader.number(2, 0, 23));
    reader.one_of(":");
    const chrono::minutes part = whole + chrono::minutes(reader.number(2, 0, 59));
    return sign == '-' ? -part : part;
}

std::optional<chrono::system_clock::time_point> read_time(std::string_view text) {
    TimeReader reader(text);
    const chrono::year y(reader.number(4, 1970, 2199));
    reader.one_of("-");
    const chrono::month m(static_cast<unsigned>(reader.number(2, 1, 12)));
    reader.one_of("-");
    const chrono::day d(static_cast<unsigned>(reader.number(2, 1, 31)));
    reader.one_of("Tt");
    const chrono::hours h(reader.number(2, 0, 23));
    reader.one_of(":");
    const chrono::minutes min(reader.number(2, 0, 59));
    reader.one_of(":");
    const chrono::seconds s(reader.number(2, 0, 59));
    const chrono::nanoseconds part = reader.fraction();
    const chrono::minutes from_utc = read_offset(reader);
    const chrono::year_month_day date(y, m, d);
    if (!reader.is_done() || !date.ok())
        return std::nullopt;
    return chrono::sys_days(date) + h + min + s - from_utc + part;
}

} // namespace

std::string rfc3339(chrono::system_clock::time_point time) {
    const auto since = chrono::duration_cast<chrono::milliseconds>(time.time_since_epoch()).count();
    const std::time_t seconds = since / 1000;
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                       utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                       since % 1000);
}

Result<chrono::system_clock::time_point> parse_rfc3339(std::string_view text) {
    if (const auto time = read_time(text))
        return *time;
    return fail(Error(fmt::format("{} is not a time from 1970 to 2199, such as "
                                  "\"2024-05-01T05:00:00Z\"",
                                  in_quotes(text))));
}

} // namespace ballast
