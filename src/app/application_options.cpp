// SPDX-License-Identifier: Apache-2.0
#include "application_options.hpp"

namespace hks::app {

net::HttpServerOptions server_options(const ServerConfig& config) {
    net::HttpServerOptions options;
    options.address = config.listen_address;
    options.port = static_cast<uint16_t>(config.listen_port);
    options.tls = {config.tls_cert, config.tls_key};
    options.limits.request_line = config.max_request_line;
    options.limits.header_bytes = config.max_header_bytes;
    options.limits.header_count = config.max_header_count;
    options.limits.chunk_extension_bytes = config.max_chunk_extensions;
    options.limits.body_bytes = config.max_request_body;
    options.limits.header_timeout = config.header_timeout;
    options.limits.idle_timeout = config.idle_timeout;
    options.limits.write_timeout = config.write_timeout;
    options.limits.min_body_rate = config.min_body_rate;
    options.limits.max_connections = config.max_connections;
    return options;
}

api::ApiOptions api_options(const ServerConfig& config) {
    api::ApiOptions options;
    options.max_package = config.max_package;
    options.max_call = config.max_request_body;
    options.max_response = config.max_response;
    options.metrics_public = config.metrics_public;
    options.secure = !config.tls_cert.empty();
    options.backend = config.backend;
    options.spec_limits = config.spec_limits;
    options.default_auth = config.default_auth;
    return options;
}

gateway::GatewayOptions gateway_options(const ServerConfig& config) {
    gateway::GatewayOptions options;
    options.default_auth = config.default_auth;
    options.max_body = config.max_request_body;
    options.max_response = config.max_response;
    return options;
}

dispatch::DispatcherOptions dispatcher_options(const ServerConfig& config) {
    dispatch::DispatcherOptions options;
    options.max_queued = config.max_queued;
    options.max_instances = config.max_instances;
    return options;
}

runtime::ProcessBackendOptions backend_options(const ServerConfig& config, const DataDirectory& directory) {
    runtime::ProcessBackendOptions options;
    options.data_dir = directory.root();
    options.bundles = directory.path("bundles");
    options.uid_base = static_cast<uint32_t>(config.uid_base);
    // Smoke loads and prepared workers come on top of the instances that take calls.
    options.max_instances = static_cast<uint32_t>(config.max_instances) + 1000;
    options.python_pool = config.python_pool;
    options.python_pool_max = config.python_pool_max;
    options.node_pool = config.node_pool;
    return options;
}

build::BuildOptions build_options(const ServerConfig& config, const DataDirectory& directory) {
    build::BuildOptions options;
    options.work_dir = directory.path("build");
    options.parallel = config.build_parallel;
    options.timeout = config.build_timeout;
    return options;
}

observe::LogStoreOptions log_options(const ServerConfig& config) {
    observe::LogStoreOptions options;
    options.max_bytes = config.logs_max_size;
    options.max_age = std::chrono::duration_cast<std::chrono::hours>(config.logs_max_age);
    return options;
}

}  // namespace hks::app
