# SPDX-License-Identifier: Apache-2.0
# cmake -DINPUT=file -DOUTPUT=file.cpp -P embed_text.cmake: openapi_text() with the file's bytes.
file(READ ${INPUT} text)
string(FIND "${text}" ")BALLAST\"" clash)
if(NOT clash EQUAL -1)
  message(FATAL_ERROR "${INPUT} holds the delimiter that would end it")
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [=[
#include "daemon/api/openapi.h"

namespace ballast::api {

std::string_view openapi_text() { // NOLINT(readability-function-size): the document is as long as it is
    return R"BALLAST(@text@)BALLAST";
}

} // namespace ballast::api
]=])
