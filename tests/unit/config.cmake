# SPDX-License-Identifier: Apache-2.0
# Unit tests of daemon/util, daemon/model, daemon/config and daemon/store.
set(unit ${CMAKE_CURRENT_LIST_DIR})
ballast_add_test(unit address SOURCES ${unit}/test_address.cpp LIBS ballast_util)
ballast_add_test(unit quote SOURCES ${unit}/test_quote.cpp LIBS ballast_util)
ballast_add_test(unit duration SOURCES ${unit}/test_duration.cpp LIBS ballast_util)
ballast_add_test(unit target SOURCES ${unit}/test_target.cpp LIBS ballast_model)
ballast_add_test(unit path_key SOURCES ${unit}/test_path_key.cpp LIBS ballast_model)
ballast_add_test(unit prefix_rules SOURCES ${unit}/test_prefix_rules.cpp LIBS ballast_model)
ballast_add_test(unit from_pattern SOURCES ${unit}/test_from_pattern.cpp LIBS ballast_model)
ballast_add_test(unit explain SOURCES ${unit}/test_explain.cpp LIBS ballast_model)
ballast_add_test(unit policy SOURCES ${unit}/test_policy.cpp LIBS ballast_config)
ballast_add_test(unit policy_keepalive SOURCES ${unit}/test_policy_keepalive.cpp LIBS ballast_config)
ballast_add_test(unit policy_invalid SOURCES ${unit}/test_policy_invalid.cpp LIBS ballast_config)
ballast_add_test(unit service_invalid SOURCES ${unit}/test_service_invalid.cpp LIBS ballast_config)
ballast_add_test(unit policy_conflicts SOURCES ${unit}/test_policy_conflicts.cpp LIBS ballast_config)
ballast_add_test(unit policy_files SOURCES ${unit}/test_policy_files.cpp LIBS ballast_config)
ballast_add_test(unit precheck SOURCES ${unit}/test_precheck.cpp LIBS ballast_config)
ballast_add_test(unit overrides SOURCES ${unit}/test_overrides.cpp LIBS ballast_config)
ballast_add_test(unit override_expiry SOURCES ${unit}/test_override_expiry.cpp LIBS ballast_model)
ballast_add_test(unit answers SOURCES ${unit}/test_answers.cpp LIBS ballast_config)
ballast_add_test(unit names SOURCES ${unit}/test_names.cpp LIBS ballast_resolve)
ballast_add_test(unit answer_store SOURCES ${unit}/test_answer_store.cpp LIBS ballast_store)
ballast_add_test(unit bound_store SOURCES ${unit}/test_bound_store.cpp LIBS ballast_store)
ballast_add_test(unit store SOURCES ${unit}/test_store.cpp LIBS ballast_store)

# The tests run where the tree is not: what they check of its texts goes into the executable.
set(example_file ${unit}/../../daemon/config/policy.toml)
set(reference_file ${unit}/../../docs/configuration.md)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${example_file} ${reference_file})
file(READ ${example_file} example)
file(READ ${reference_file} reference)
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/generated/policy_texts.h @ONLY CONTENT
"inline constexpr char kExamplePolicy[] = R\"text(@example@)text\";
inline constexpr char kReference[] = R\"text(@reference@)text\";
")
target_include_directories(test_unit_policy PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/generated)
