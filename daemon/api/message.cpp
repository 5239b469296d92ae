// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/message.h"

#include "daemon/api/json.h"

namespace ballast::api {

Response error_response(unsigned status, std::string_view code, const Error& error) {
    Response response;
    response.status = status;
    response.body = text_of(encode_error(code, error.message(), error.hint()));
    return response;
}

} // namespace ballast::api
