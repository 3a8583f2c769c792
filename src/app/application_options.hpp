// SPDX-License-Identifier: Apache-2.0
#pragma once
// The configuration → the options of each module. Pure.

#include "config.hpp"
#include "data_directory.hpp"

#include <hks/api/management_api.hpp>
#include <hks/build/build_service.hpp>
#include <hks/dispatch/dispatcher.hpp>
#include <hks/gateway/gateway.hpp>
#include <hks/net/http_server.hpp>
#include <hks/observe/function_log_store.hpp>
#include <hks/runtime/process_backend.hpp>

namespace hks::app {

net::HttpServerOptions server_options(const ServerConfig& config);
api::ApiOptions api_options(const ServerConfig& config);
gateway::GatewayOptions gateway_options(const ServerConfig& config);
dispatch::DispatcherOptions dispatcher_options(const ServerConfig& config);
runtime::ProcessBackendOptions backend_options(const ServerConfig& config, const DataDirectory& directory);
build::BuildOptions build_options(const ServerConfig& config, const DataDirectory& directory);
observe::LogStoreOptions log_options(const ServerConfig& config);

}  // namespace hks::app
