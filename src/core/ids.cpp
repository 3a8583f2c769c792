// SPDX-License-Identifier: Apache-2.0
#include <hks/core/ids.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <sys/random.h>
#include <utility>

namespace hks {
namespace {

/// A page of random bytes, so that one system call serves hundreds of ids. The kernel wipes the page in a
/// forked child (MADV_WIPEONFORK), where `left` is then 0: parent and child never hand out the same bytes.
class RandomBuffer {
  public:
    RandomBuffer() {
        void* memory =
            mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) return;
        if (madvise(memory, sizeof(Page), MADV_WIPEONFORK) != 0) {
            munmap(memory, sizeof(Page));
            return;
        }
        page_ = static_cast<Page*>(memory);
    }
    ~RandomBuffer() {
        if (page_) munmap(page_, sizeof(Page));
    }
    RandomBuffer(const RandomBuffer&) = delete;
    RandomBuffer& operator=(const RandomBuffer&) = delete;

    uint64_t next() {
        uint64_t value = 0;
        if (!page_) {
            random_bytes(&value, sizeof value);
            return value;
        }
        if (page_->left == 0) {
            random_bytes(page_->values.data(), sizeof page_->values);
            page_->left = page_->values.size();
        }
        std::swap(value, page_->values[--page_->left]);  // given out once, kept nowhere
        return value;
    }

  private:
    struct Page {
        uint64_t left = 0;
        std::array<uint64_t, 511> values;
    };
    static_assert(sizeof(Page) == 4096);
    Page* page_ = nullptr;
};

/// Uniqueness is a property of the process, hence the one counter of the process.
uint64_t next_key() {
    static std::atomic<uint64_t> last{0};
    const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    const auto time = static_cast<uint64_t>(now.count());
    uint64_t previous = last.load(std::memory_order_relaxed);
    uint64_t key = 0;
    do {
        key = time > previous ? time : previous + 1;
    } while (!last.compare_exchange_weak(previous, key, std::memory_order_relaxed));
    return key;
}

constexpr auto hex_pairs = [] {
    constexpr char hex[] = "0123456789abcdef";
    std::array<std::array<char, 2>, 256> table{};
    for (size_t i = 0; i < table.size(); ++i) table[i] = {hex[i >> 4], hex[i & 15]};
    return table;
}();

void put_hex(char* out, uint64_t value) {
    for (int i = 14; i >= 0; i -= 2, value >>= 8) std::memcpy(out + i, hex_pairs[value & 255].data(), 2);
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

}  // namespace

InvocationId InvocationId::generate() {
    thread_local RandomBuffer random;
    InvocationId id;
    id.key_ = next_key();
    put_hex(id.text_.data(), id.key_);
    put_hex(id.text_.data() + 16, random.next());
    return id;
}

bool InvocationId::parse(std::string_view text, InvocationId& out) {
    if (text.size() != 32) return false;
    uint64_t key = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        const int value = hex_value(text[i]);
        if (value < 0) return false;
        if (i < 16) key = key << 4 | static_cast<uint64_t>(value);
    }
    std::memcpy(out.text_.data(), text.data(), text.size());
    out.key_ = key;
    return true;
}

std::string make_id(std::string_view prefix) {
    constexpr char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint64_t bits[2];
    random_bytes(bits, sizeof bits);
    std::string id(prefix);
    const size_t begin = id.size();
    id.resize(begin + 26);
    for (size_t i = 26; i-- > 0;) {  // 130 bits: the first character carries three
        id[begin + i] = alphabet[bits[0] & 31];
        bits[0] = bits[0] >> 5 | bits[1] << 59;
        bits[1] >>= 5;
    }
    return id;
}

void random_bytes(void* out, size_t n) {
    auto* at = static_cast<char*>(out);
    while (n > 0) {
        const ssize_t got = getrandom(at, n, 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            std::perror("hks: the kernel gives no random bytes");
            std::abort();
        }
        at += got;
        n -= static_cast<size_t>(got);
    }
}

bool is_valid_name(std::string_view name) {
    const auto inner = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    if (name.empty() || name.size() > 63 || name.front() == '-' || name.back() == '-') return false;
    for (const char c : name)
        if (!inner(c)) return false;
    return true;
}

}  // namespace hks
