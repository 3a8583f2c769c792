// SPDX-License-Identifier: Apache-2.0
// Looks at the host with the eyes of the user that functions run as.
#include <hks/runtime/runtime_table.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <set>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace hks::runtime {

namespace {

constexpr std::chrono::seconds patience{10};

struct Question {
    std::string language, path;
    pid_t pid = -1;
    int answer_fd = -1;
    std::string answer;
};

bool looks_like_python(std::string_view name) {
    if (name == "python3") return true;
    if (!name.starts_with("python3.")) return false;
    return name.size() > 8 &&
           std::all_of(name.begin() + 8, name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool looks_like_node(std::string_view name) {
    return name == "node" || name == "nodejs";
}

std::vector<std::string> search_folders() {
    std::vector<std::string> folders;
    const char* path = std::getenv("PATH");
    std::istringstream parts(std::string(path ? path : "") + ":/usr/local/bin:/usr/bin");
    for (std::string folder; std::getline(parts, folder, ':');)
        if (folder.starts_with("/") && std::find(folders.begin(), folders.end(), folder) == folders.end())
            folders.push_back(folder);
    return folders;
}

/// Asks the interpreter itself: what lies on the PATH may be a wrapper.
void ask(Question& question, int uid) {
    static constexpr const char* python =
        "import sys,os;print('%d.%d.%d'%sys.version_info[:3]);print(os.path.realpath(sys.executable))";
    static constexpr const char* node =
        "console.log(process.versions.node);console.log(require('fs').realpathSync(process.execPath))";
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    std::vector<const char*> arguments{question.path.c_str()};
    if (question.language == "python")
        arguments.insert(arguments.end(), {"-I", "-S", "-c", python, nullptr});
    else
        arguments.insert(arguments.end(), {"-e", node, nullptr});
    const std::string home = "HOME=/",
                      search = std::string("PATH=") + (std::getenv("PATH") ? std::getenv("PATH") : "");
    const std::array<char*, 3> environment{const_cast<char*>(home.c_str()), const_cast<char*>(search.c_str()),
                                           nullptr};
    question.pid = ::fork();
    if (question.pid == 0) {
        const int null = ::open("/dev/null", O_RDWR);
        ::dup2(null, 0);
        ::dup2(ends[1], 1);
        ::dup2(null, 2);
        ::setsid();
        if (uid >= 0 && ::geteuid() == 0) {
            const auto id = static_cast<uid_t>(uid);
            if (::setgroups(0, nullptr) != 0 || ::setresgid(id, id, id) != 0 || ::setresuid(id, id, id) != 0)
                ::_exit(126);
        }
        if (::chdir("/") != 0) ::_exit(126);
        ::execve(arguments[0], const_cast<char* const*>(arguments.data()), environment.data());
        ::_exit(127);
    }
    ::close(ends[1]);
    question.answer_fd = ends[0];
}

void listen(Question& question, std::chrono::steady_clock::time_point until) {
    std::array<char, 1024> buffer;
    while (question.answer_fd >= 0) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd wait{question.answer_fd, POLLIN, 0};
        const int ready = ::poll(&wait, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) break;
        const ssize_t n = ::read(question.answer_fd, buffer.data(), buffer.size());
        if (n <= 0 || question.answer.size() > 8192) break;
        question.answer.append(buffer.data(), static_cast<size_t>(n));
    }
    ::close(question.answer_fd);
    ::kill(-question.pid, SIGKILL);
    (void)::waitpid(question.pid, nullptr, 0);
}

/// A folder that sandboxes cover with one of their own cannot hold an interpreter.
bool covered(const std::string& path) {
    return path.starts_with("/tmp/") || path.starts_with("/var/tmp/") || path.starts_with("/dev/shm/");
}

bool too_old(const Interpreter& interpreter) {
    const int major = std::atoi(interpreter.version.c_str());
    const size_t dot = interpreter.version.find('.');
    const int minor = dot == std::string::npos ? 0 : std::atoi(interpreter.version.c_str() + dot + 1);
    return interpreter.language == "python" ? major != 3 || minor < 8 : major < 16;
}

}  // namespace

RuntimeTable RuntimeTable::discover(int uid) {
    std::vector<Question> questions;
    std::set<std::string> asked;
    for (const auto& folder : search_folders()) {
        DIR* entries = ::opendir(folder.c_str());
        std::vector<Question> here;
        while (const dirent* entry = entries ? ::readdir(entries) : nullptr) {
            const std::string_view name = entry->d_name;
            const char* language = looks_like_python(name) ? "python"
                                   : looks_like_node(name) ? "node"
                                                           : nullptr;
            if (language == nullptr) continue;
            Question question;
            question.language = language;
            question.path = folder + "/" + std::string(name);
            here.push_back(std::move(question));
        }
        if (entries) ::closedir(entries);
        // "python3" before "python3.x": the plain name is the host's choice.
        std::sort(here.begin(), here.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
        for (auto& question : here) {
            char* real = ::realpath(question.path.c_str(), nullptr);
            const bool fresh = real != nullptr && asked.insert(real).second;
            std::free(real);
            if (fresh) questions.push_back(std::move(question));
        }
    }
    for (auto& question : questions) ask(question, uid);
    const auto until = std::chrono::steady_clock::now() + patience;
    std::vector<Interpreter> found;
    std::set<std::string> labels;
    for (auto& question : questions) {
        if (question.pid <= 0) continue;
        listen(question, until);
        std::istringstream lines(question.answer);
        Interpreter interpreter;
        interpreter.language = question.language;
        if (!std::getline(lines, interpreter.version) || !std::getline(lines, interpreter.path)) continue;
        if (!interpreter.path.starts_with("/") || covered(interpreter.path) || too_old(interpreter)) continue;
        if (labels.insert(interpreter.label()).second) found.push_back(std::move(interpreter));
    }
    return RuntimeTable(std::move(found));
}

}  // namespace hks::runtime
