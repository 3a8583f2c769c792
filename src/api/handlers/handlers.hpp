// SPDX-License-Identifier: Apache-2.0
#pragma once
// Every handler of the route table, by resource. See route.hpp for what each kind may do.

#include "../route.hpp"

namespace hks::api {

Result<ApiResponse> create_function(Context&, const ApiRequest&);
Result<ApiResponse> list_functions(Context&, const ApiRequest&);
Result<ApiResponse> get_function(Context&, const ApiRequest&);
Result<ApiResponse> replace_function(Context&, const ApiRequest&);
Result<ApiResponse> patch_function(Context&, const ApiRequest&);
Result<ApiResponse> delete_function(Context&, const ApiRequest&);
Result<ApiResponse> rollback_function(Context&, const ApiRequest&);
Result<ApiResponse> function_metrics(Context&, const ApiRequest&);
void invoke_function(Context&, net::HttpExchange&, const ApiRequest&);

Result<ApiResponse> add_version(Context&, const ApiRequest&);
Result<ApiResponse> list_versions(Context&, const ApiRequest&);
Result<ApiResponse> get_version(Context&, const ApiRequest&);
Result<ApiResponse> activate_version(Context&, const ApiRequest&);
Result<ApiResponse> get_build_log(Context&, const ApiRequest&);
void follow_build_log(Context&, net::HttpExchange&, const ApiRequest&);

Result<ApiResponse> get_logs(Context&, const ApiRequest&);
void follow_logs(Context&, net::HttpExchange&, const ApiRequest&);

Result<ApiResponse> add_trigger(Context&, const ApiRequest&);
Result<ApiResponse> list_triggers(Context&, const ApiRequest&);
Result<ApiResponse> get_trigger(Context&, const ApiRequest&);
Result<ApiResponse> replace_trigger(Context&, const ApiRequest&);
Result<ApiResponse> delete_trigger(Context&, const ApiRequest&);

Result<ApiResponse> create_secret(Context&, const ApiRequest&);
Result<ApiResponse> list_secrets(Context&, const ApiRequest&);
Result<ApiResponse> get_secret(Context&, const ApiRequest&);
Result<ApiResponse> replace_secret(Context&, const ApiRequest&);
Result<ApiResponse> delete_secret(Context&, const ApiRequest&);

Result<ApiResponse> create_token(Context&, const ApiRequest&);
Result<ApiResponse> list_tokens(Context&, const ApiRequest&);
Result<ApiResponse> revoke_token(Context&, const ApiRequest&);

Result<ApiResponse> list_workspaces(Context&, const ApiRequest&);
Result<ApiResponse> provider_capabilities(Context&, const ApiRequest&);
Result<ApiResponse> provider_health(Context&, const ApiRequest&);
Result<ApiResponse> liveness(Context&, const ApiRequest&);
Result<ApiResponse> readiness(Context&, const ApiRequest&);
Result<ApiResponse> metrics_text(Context&, const ApiRequest&);
Result<ApiResponse> openapi_document(Context&, const ApiRequest&);
Result<ApiResponse> function_schema(Context&, const ApiRequest&);

}  // namespace hks::api
