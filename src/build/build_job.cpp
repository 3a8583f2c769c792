// SPDX-License-Identifier: Apache-2.0
#include "build_job.hpp"

#include "load_error.hpp"
#include "packager.hpp"

#include <hks/core/units.hpp>
#include <hks/secrets/secret_store.hpp>
#include <hks/telemetry/logger.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace hks::build {
namespace fs = std::filesystem;
namespace {

using namespace std::chrono_literals;
constexpr milliseconds max_load_time = 120s;
constexpr size_t shown_digest = 12;

/// A traceback, or what the function printed.
void print(BuildLog& log, std::string_view text) {
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        log.output(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

std::string short_digest(const std::string& digest) {
    return digest.substr(0, shown_digest);
}

}  // namespace

BuildJob::BuildJob(const BuildParts& parts, BuildRequest& request)
    : parts_(parts),
      request_(request),
      log_(*request.log),
      started_(std::chrono::steady_clock::now()),
      deadline_(started_ + parts.options.timeout),
      spec_(request.version.spec) {}

BuildJob::~BuildJob() {
    clean_up();
    if (!pinned_.empty()) parts_.pins.unpin(pinned_);
}

void BuildJob::clean_up() {
    std::error_code ignored;
    if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
    if (std::exchange(tools_ran_, false)) kill_processes_with("HOME=" + scratch_.string());
    if (!scratch_.empty()) fs::remove_all(scratch_, ignored);
    temporary_.clear();
    scratch_.clear();
}

bool BuildJob::run() {
    Result<void> done = [this]() -> Result<void> {
        try {
            return build();
        } catch (const std::exception& failure) {
            return Error(Errc::internal, std::string("The build failed unexpectedly: ") + failure.what() +
                                             ". Deploy again; the server's log has more.");
        }
    }();
    if (!done) fail(done.error());
    return done.has_value();
}

void BuildJob::fail(const Error& error) {
    log_.say("failed after " + elapsed() + ": " + error.message);
    // A disk that the build has filled must have room for the word that it failed.
    clean_up();
    parts_.janitor.fail(request_.version.key, request_.function.name, error.message);
}

std::string BuildJob::elapsed() const {
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    char text[32];
    std::snprintf(text, sizeof text, "%.2f s", seconds);
    return text;
}

Result<void> BuildJob::still_wanted() const {
    if (parts_.stop.raised())
        return Error(Errc::build_failed,
                     "The build was interrupted because the server is stopping. Deploy again.");
    if (std::chrono::steady_clock::now() >= deadline_)
        return Error(Errc::build_failed, "The build took longer than " +
                                             format_duration(parts_.options.timeout) +
                                             ". Depend on less, or raise the server's build timeout.");
    return {};
}

Result<void> BuildJob::build() {
    auto bundle = request_.reuse_digest.empty() ? make_bundle() : reuse_bundle();
    if (!bundle) return bundle.error();
    if (auto loaded = load(*bundle); !loaded) return loaded;
    if (auto wanted = still_wanted(); !wanted) return wanted;
    return commit(*bundle);
}

/// Resolves spec_.runtime to an interpreter of this host, so that later starts do not choose another one.
Result<void> BuildJob::choose_runtime(const fs::path* folder) {
    if (spec_.runtime.name.empty() && folder) {
        auto language = parts_.runtimes.detect(*folder, spec_.handler);
        if (!language) return language.error();
        spec_.runtime.name = *language;
    }
    auto choice = parts_.runtimes.choose(spec_.runtime);
    if (!choice) return choice.error();
    interpreter_ = choice->interpreter;
    const std::string label = interpreter_->label();
    if (choice->note.empty())
        log_.say("runtime " + label + " (" + interpreter_->version + ")");
    else
        log_.say("runtime " + label + ": " + choice->note);
    spec_.runtime.version = label.substr(interpreter_->language.size());
    return {};
}

Result<void> BuildJob::fill(const fs::path& folder) {
    const auto size = place_source(request_.source, spec_, folder, parts_.options.max_bundle_bytes);
    if (!size) return size.error();
    request_.source = BuildSource();
    log_.say("unpacked " + std::to_string(size->files) + (size->files == 1 ? " file (" : " files (") +
             size_text(size->bytes) + ")");
    return remove_bytecode(folder);
}

std::string BuildJob::source_key(const std::string& source_digest) const {
    return storage::sha256_hex("source\n" + source_digest + "\n" + interpreter_->language + "\n" +
                               interpreter_->path + "\n" + interpreter_->version + "\n" + index_settings());
}

/// The digest of a bundle that was built from the same source before and is still there; now pinned.
std::optional<std::string> BuildJob::known_bundle(const std::string& source_key) {
    auto digest = parts_.cache.bundle(source_key);
    if (!digest || !parts_.pins.pin_if(*digest, [&] { return parts_.artifacts.contains(*digest); }))
        return std::nullopt;
    pinned_ = *digest;
    return digest;
}

Result<BuildJob::Bundle> BuildJob::make_bundle() {
    if (spec_.runtime.name.empty()) spec_.runtime.name = language_of(request_.source);
    auto temporary = parts_.artifacts.make_temporary();
    if (!temporary) return temporary.error();
    temporary_ = *temporary;
    // The instance that loads it runs as somebody else.
    fs::permissions(temporary_, fs::perms(0755));
    if (auto filled = fill(temporary_); !filled) return filled.error();
    if (auto chosen = choose_runtime(&temporary_); !chosen) return chosen.error();

    auto source_digest = storage::digest_tree(temporary_);
    if (!source_digest) return source_digest.error();
    source_key_ = source_key(*source_digest);
    if (auto digest = known_bundle(source_key_)) {
        log_.say("unchanged: bundle " + short_digest(*digest) + " is used again");
        return Bundle{parts_.artifacts.path(*digest), *digest, true};
    }

    scratch_ = fs::path(parts_.options.work_dir) / "tmp" / temporary_.filename();
    std::error_code failure;
    fs::create_directories(scratch_, failure);
    BuildContext context{temporary_,    scratch_,        fs::path(parts_.options.work_dir) / "cache",
                               *interpreter_, parts_.runtimes, log_,
                               parts_.stop,   deadline_,       parts_.options.max_bundle_bytes};
    auto installed = install(context);
    if (!installed) return installed.error();
    if (auto wanted = still_wanted(); !wanted) return wanted.error();
    auto digest = *installed ? storage::digest_tree(temporary_) : source_digest;
    if (!digest) return digest.error();
    if (const Builder* builder = find_builder(interpreter_->language))
        builder->warm_bundle(context, *installed);
    parts_.pins.pin(*digest);
    pinned_ = *digest;
    return Bundle{temporary_, *digest, false};
}

InstallSlots::Slot BuildJob::wait_for_install(BuildContext& context) {
    const auto start = std::chrono::steady_clock::now();
    auto slot = parts_.installs.take(parts_.stop, [this](size_t before) {
        const bool one = before == 1;
        log_.say("waiting for " + std::to_string(before) +
                 (one ? " build that installs dependencies" : " builds that install dependencies"));
    });
    deadline_ += std::chrono::steady_clock::now() - start;
    context.deadline = deadline_;
    return slot;
}

/// True when there were dependencies.
Result<bool> BuildJob::install(BuildContext& context) {
    const Builder* builder = find_builder(interpreter_->language);
    if (!builder) return false;
    auto found = builder->find(context);
    if (!found) return found.error();
    if (!found->needed()) return false;
    const fs::path tree = context.folder / builder->tree;
    std::error_code failure;
    fs::remove_all(tree, failure);
    const auto restore = [&] {
        const bool restored = parts_.dependencies.restore(found->key, tree);
        if (restored) log_.say(found->what + " as installed before");
        return restored;
    };
    if (restore()) return true;
    const auto slot = wait_for_install(context);
    if (!slot) return still_wanted().error();
    // A build that was before may have wanted the same.
    if (restore()) return true;
    log_.say("installing " + found->what);
    log_.flush();
    tools_ran_ = true;
    if (auto done = builder->install(context, *found); !done) return done.error();
    if (auto done = remove_bytecode(context.folder); !done) return done.error();
    if (auto fine = check_links(context.folder); !fine) return fine.error();
    const TreeSize size = measure(context.folder);
    if (size.bytes > parts_.options.max_bundle_bytes)
        return Error(Errc::package_size_exceeded,
                     "With its dependencies the bundle has " + size_text(size.bytes) + "; " +
                         size_text(parts_.options.max_bundle_bytes) +
                         " are allowed. Depend on less, or raise the server's limit.");
    builder->warm_dependencies(context);
    parts_.dependencies.keep(found->key, tree);
    log_.say("installed " + found->what + " in " + elapsed());
    return true;
}

/// The same bundle under another configuration.
Result<BuildJob::Bundle> BuildJob::reuse_bundle() {
    const std::string& digest = request_.reuse_digest;
    if (!parts_.pins.pin_if(digest, [&] { return parts_.artifacts.contains(digest); }))
        return Error(Errc::build_failed,
                     "The code of the version to start from is no longer there. Deploy the "
                     "folder again.");
    pinned_ = digest;
    const fs::path path = parts_.artifacts.path(digest);
    if (auto chosen = choose_runtime(&path); !chosen) return chosen.error();
    // Installed packages belong to the interpreter that they were installed for.
    if (interpreter_->label() != request_.reuse_runtime && !request_.reuse_runtime.empty() &&
        (fs::exists(path / "_deps") || fs::exists(path / "node_modules")))
        return Error(Errc::build_failed, "The dependencies of this function were installed for " +
                                             request_.reuse_runtime + ", not for " + interpreter_->label() +
                                             ". Deploy the folder again, so that they are installed anew.");
    log_.say("bundle " + short_digest(digest) + " is used again");
    return Bundle{path, digest, true};
}

/// Everything that decides whether the handler loads, but for the secrets' values.
std::string BuildJob::load_key(const std::string& digest) const {
    FunctionSpec spec = spec_;
    spec.triggers.clear();
    spec.scaling = ScalingSpec();
    return storage::sha256_hex("load\n" HKS_VERSION "\n" + digest + "\n" + interpreter_->path + "\n" +
                               interpreter_->version + "\n" + request_.function.workspace + "/" +
                               request_.function.name + "\n" + spec_to_json(spec).dump());
}

Result<void> BuildJob::load(const Bundle& bundle) {
    const std::string key = load_key(bundle.digest);
    if (bundle.committed && spec_.secrets.empty()) {
        if (auto info = parts_.cache.loaded(key)) {
            log_.say(info->handler + " (" + info->kind + ") loaded before with this configuration");
            spec_.handler = info->handler;
            return {};
        }
    }
    auto version = std::make_shared<Version>();
    version->key = request_.version.key;
    version->number = request_.version.number;
    version->function_id = request_.function.id;
    version->function = request_.function.name;
    version->workspace = request_.function.workspace;
    version->spec = spec_;
    version->digest = bundle.digest;
    runtime::LaunchSpec launch;
    launch.version = std::move(version);
    launch.bundle_path = bundle.path.string();
    launch.smoke = true;
    launch.environment.assign(spec_.variables.begin(), spec_.variables.end());
    auto secrets = parts_.secrets.resolve(request_.function.workspace, spec_.secrets);
    if (!secrets) return secrets.error();
    launch.environment.insert(launch.environment.end(), secrets->begin(), secrets->end());

    const SteadyTime deadline = std::min(deadline_, std::chrono::steady_clock::now() + max_load_time);
    auto outcome = parts_.loader.load(
        std::move(launch), [this](std::string_view text) { print(log_, text); }, deadline, parts_.stop);
    switch (outcome.end) {
        case SmokeOutcome::End::ready:
            break;
        case SmokeOutcome::End::failed:
            print(log_, outcome.why.stack);
            return load_error(interpreter_->language, outcome.why);
        case SmokeOutcome::End::not_started:
            return outcome.error;
        case SmokeOutcome::End::timed_out:
            return Error(Errc::build_failed,
                         "The function did not finish loading in time (" + format_duration(max_load_time) +
                             " at most). Move slow work from the module into the handler.");
        case SmokeOutcome::End::stopped:
            if (auto wanted = still_wanted(); !wanted) return wanted;
            return Error(Errc::build_failed, "The smoke load was interrupted. Deploy again.");
    }
    if (!outcome.info.handler.empty()) spec_.handler = outcome.info.handler;
    outcome.info.handler = spec_.handler;
    log_.say("loaded " + spec_.handler + (outcome.info.kind.empty() ? "" : " (" + outcome.info.kind + ")"));
    parts_.cache.remember_loaded(key, outcome.info);
    return {};
}

Result<void> BuildJob::commit(const Bundle& bundle) {
    if (!bundle.committed) {
        if (auto done = parts_.artifacts.commit(bundle.path, bundle.digest); !done) return done;
        temporary_.clear();
        parts_.cache.remember_bundle(source_key_, bundle.digest);
    }
    log_.say("bundle " + short_digest(bundle.digest) + " ready in " + elapsed());
    return parts_.registry.finish_version(request_.version.key, spec_, interpreter_->label(), bundle.digest);
}

}  // namespace hks::build
