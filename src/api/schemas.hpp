// SPDX-License-Identifier: Apache-2.0
#pragma once
// components/schemas of /openapi.json, written once: the objects of the REST API and the bodies that it
// takes.

#include <nlohmann/json_fwd.hpp>

#include <string_view>

namespace hks::api {

/// Every schema by its name. `FunctionSpec` comes from the manifest's own JSON Schema.
nlohmann::json component_schemas();

/// Text of one query or path parameter and its JSON Schema (as text); empty for a name that is not in the
/// table.
struct ParameterDoc {
    std::string_view name;
    std::string_view description;
    std::string_view schema;
};
ParameterDoc parameter_doc(std::string_view name);

}  // namespace hks::api
