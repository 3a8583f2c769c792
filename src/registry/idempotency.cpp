// SPDX-License-Identifier: Apache-2.0
#include "registry_write.hpp"
#include "row_text.hpp"

#include <hks/registry/function_registry.hpp>

namespace hks::registry {

namespace {

constexpr auto kept = std::chrono::hours(24);
constexpr auto sweep_every = std::chrono::minutes(10);

}  // namespace

Result<std::optional<FunctionRegistry::StoredAnswer>> FunctionRegistry::recall(
    const std::string& scope, const std::string& key, const std::string& body_digest) {
    std::lock_guard lock(impl_->database.mutex());
    auto s = impl_->database.prepare(
        "SELECT body_digest, status, body FROM idempotency WHERE scope = ? AND key = ? AND expires_at > ?");
    if (!s) return s.error();
    auto row = s->bind(scope).bind(key).bind(to_micros(impl_->clock.wall())).step();
    if (!row) return row.error();
    if (!*row) return std::optional<StoredAnswer>{};
    if (s->text(0) != body_digest)
        return Error(Errc::conflict,
                     "This Idempotency-Key was used with another body. Use a new key for a new request.");
    return std::optional(StoredAnswer{static_cast<int>(s->integer(1)), s->text(2)});
}

Result<void> FunctionRegistry::remember(const std::string& scope, const std::string& key,
                                        const std::string& body_digest, const StoredAnswer& answer) {
    WallTime now = impl_->clock.wall();
    if (auto r = impl_->forget_expired(now); !r) return r;
    auto s = impl_->database.prepare(
        "INSERT OR REPLACE INTO idempotency(scope, key, body_digest, status, body, expires_at) "
        "VALUES(?,?,?,?,?,?)");
    if (!s) return s.error();
    s->bind(scope).bind(key).bind(body_digest).bind(answer.status).bind(answer.body);
    return s->bind(to_micros(now + kept)).run();
}

Result<void> FunctionRegistry::Impl::forget_expired(WallTime now) {
    {
        std::lock_guard lock(sweeping);
        if (now < next_sweep) return {};
        next_sweep = now + sweep_every;
    }
    auto s = database.prepare("DELETE FROM idempotency WHERE expires_at <= ?");
    if (!s) return s.error();
    return s->bind(to_micros(now)).run();
}

}  // namespace hks::registry
