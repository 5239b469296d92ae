// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/list.h"

#include <utility>

namespace ballast::api {

ListText::ListText(const Json& head, std::string_view rows_key) : text_(text_of(head)) {
    text_.pop_back(); // the closing brace
    text_ += ',';
    text_ += text_of(Json(rows_key));
    text_ += ":[";
}

void ListText::add(const Json& row) {
    if (!std::exchange(first_, false))
        text_ += ',';
    text_ += text_of(row);
}

std::string ListText::finish() {
    text_ += "]}";
    return std::move(text_);
}

Json list_envelope(std::string_view kind, std::size_t total, std::size_t returned) {
    Json json = envelope(kind);
    json["total"] = total;
    json["returned"] = returned;
    return json;
}

} // namespace ballast::api
