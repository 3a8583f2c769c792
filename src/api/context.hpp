// SPDX-License-Identifier: Apache-2.0
#pragma once
// What every handler is given: the services, the options, and the streams that are open. One per
// ManagementApi. Handlers on the pool use services and options only; everything else belongs to the loop.

#include "route.hpp"

#include <hks/api/management_api.hpp>
#include <hks/core/async/blocking_pool.hpp>
#include <hks/registry/catalog.hpp>
#include <hks/registry/function_registry.hpp>
#include <hks/secrets/secret_store.hpp>

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <unordered_set>

namespace hks::api {

/// An exchange that lives longer than its handler: a followed log, an invocation. Loop thread.
class Session {
  public:
    virtual ~Session() = default;
    virtual void stop() = 0;   ///< the server ends: finish the answer, drop every handle
    virtual void recheck() {}  ///< what it began with may hold no longer: its token, its function
};

struct Context {
    boost::asio::io_context& loop;
    ApiOptions options;
    ApiServices services;
    std::unordered_set<std::shared_ptr<Session>> sessions;
    bool draining = false;

    /// Runs `work` on the pool, then `done` on the loop. False: the pool is full and neither will run.
    bool offload(std::function<void()> work, std::function<void()> done);
    void end(const std::shared_ptr<Session>& session) { sessions.erase(session); }
    /// Has every session look at once whether it may go on. Any thread.
    void recheck_sessions();

    /// From the catalog, by name or id. Loop or any thread.
    std::shared_ptr<const registry::FunctionEntry> find_function(const std::string& workspace,
                                                                 const std::string& name_or_id) const;
};

ApiResponse json_response(int status, const nlohmann::json& body);

/// Answers on the loop. `request` may be null when there is none to speak of.
void send(net::HttpExchange& exchange, const ApiResponse& response);
void send(net::HttpExchange& exchange, const Error& error, std::string_view extra_headers = {});

Error function_not_found(const std::string& name);
Error version_not_found(const std::string& function, const std::string& version);
Error overloaded();

/// The number behind {v}; 0 when it is none.
int version_number(std::string_view text);
/// limit (1…maximum) and cursor of a list.
Result<registry::Page> read_page(const ApiRequest& request, size_t initial = 20, size_t maximum = 100);
/// The revision that If-Match names: "" when there is no condition. One strong ETag, or "*".
Result<std::string> expected_revision(const ApiRequest& request);
std::string etag_of(const registry::FunctionRecord& function);
std::string etag_of(const registry::TriggerEntry& trigger);
std::string etag_of(const secrets::SecretRecord& secret);
/// VALIDATION_ERROR's field when `follow` is neither true nor false.
std::optional<FieldError> wrong_follow(const ApiRequest& request);

}  // namespace hks::api
