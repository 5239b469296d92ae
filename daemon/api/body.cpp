// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/body.h"

#include <string>

#include "daemon/util/quote.h"

namespace ballast::api {

Result<Json> parse_object(std::string_view body, std::string_view form) {
    Json json = Json::parse(body, nullptr, false);
    if (!json.is_object())
        return fail(Error("the body is not a JSON object").hint(std::string(form)));
    if (json.empty())
        return fail(Error("the body changes nothing").hint(std::string(form)));
    return json;
}

Error bad_value(std::string_view key, const Json& value, std::string_view accepted) {
    // printing a nested value would recurse as deep as the sender likes
    const std::string shown = value.is_structured() ? std::string("an ") + value.type_name()
                                                    : ballast::in_quotes(text_of(value));
    return Error(fmt::format("{}: {} is not {}", key, shown, accepted));
}

Error unknown_key(std::string_view key, std::string_view form) {
    return Error(fmt::format("unknown key {}", ballast::in_quotes(key))).hint(std::string(form));
}

} // namespace ballast::api
