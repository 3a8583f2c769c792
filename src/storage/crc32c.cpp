// SPDX-License-Identifier: Apache-2.0
#include <hks/storage/crc32c.hpp>

#include <array>

namespace hks::storage {

namespace {

constexpr std::array<uint32_t, 256> make_table() {
    std::array<uint32_t, 256> table{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; ++bit) value = (value & 1) ? (value >> 1) ^ 0x82F63B78u : value >> 1;
        table[byte] = value;
    }
    return table;
}

constexpr auto table = make_table();

}  // namespace

uint32_t crc32c(std::string_view bytes, uint32_t before) {
    uint32_t sum = ~before;
    for (unsigned char byte : bytes) sum = table[(sum ^ byte) & 0xff] ^ (sum >> 8);
    return ~sum;
}

RowSum& RowSum::add(int64_t value) {
    char bytes[8];
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
    sum_ = crc32c({bytes, sizeof bytes}, sum_);
    return *this;
}

RowSum& RowSum::add(std::string_view text) {
    add(static_cast<int64_t>(text.size()));
    sum_ = crc32c(text, sum_);
    return *this;
}

Error damaged_row(std::string_view name, std::string_view key, const std::string& database_path) {
    return Error(
        Errc::provider_error,
        "row '" + std::string(key) + "' of table '" + std::string(name) + "' in " + database_path +
            " is damaged (its checksum does not fit). Restore the data directory from a backup, or delete "
            "and make anew what the row describes.");
}

}  // namespace hks::storage
