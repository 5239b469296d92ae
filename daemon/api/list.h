// SPDX-License-Identifier: Apache-2.0
// The text of an answer that is a list, written row by row: thousands of rows never exist as a JSON
// tree, which would cost ten times their text in memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "daemon/api/json.h"

namespace ballast::api {

class ListText {
public:
    /// `head` is an envelope with whatever precedes the rows; they become its member `rows_key`.
    ListText(const Json& head, std::string_view rows_key);

    void add(const Json& row);

    /// Closes the list and gives the text away; nothing may follow.
    std::string finish();

private:
    std::string text_;
    bool first_ = true;
};

/// An envelope with `total` rows that match and `returned` of them in this answer.
Json list_envelope(std::string_view kind, std::size_t total, std::size_t returned);

} // namespace ballast::api
