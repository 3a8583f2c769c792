// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which entries of a header or query list have the same name. One pass over typical lists, without
// allocation; long ones are sorted, so that a hostile list costs n log n. Pure.

#include <hks/core/call.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace hks::runtime {

class NameIndex {
  public:
    static constexpr uint32_t none = UINT32_MAX;

    explicit NameIndex(std::span<const Header> items) {
        if (items.size() <= inline_size) {
            links_ = inline_.data();
            link_by_scan(items);
        } else {
            heap_.resize(items.size());
            links_ = heap_.data();
            link_by_sort(items);
        }
    }
    NameIndex(const NameIndex&) = delete;
    NameIndex& operator=(const NameIndex&) = delete;

    bool is_first(size_t i) const { return links_[i].first; }  ///< no earlier entry has this name
    bool has_repeats() const { return repeats_; }
    uint32_t next(size_t i) const { return links_[i].next; }  ///< the next entry of this name, or none

  private:
    static constexpr size_t inline_size = 64;
    struct Link {
        uint32_t next = none;
        bool first = true;
    };

    void link_by_scan(std::span<const Header> items) {
        // A bit per (length, first, last character): most names differ in one of them, and then nothing is
        // compared.
        uint64_t seen = 0;
        for (size_t i = 0; i < items.size(); ++i) {
            links_[i] = Link{};
            std::string_view const name = items[i].name;
            unsigned hash = static_cast<unsigned>(name.size()) * 7;
            if (!name.empty()) {
                hash += static_cast<unsigned char>(name.front()) * 5u +
                        static_cast<unsigned char>(name.back()) * 3u;
            }
            uint64_t const bit = uint64_t{1} << (hash & 63u);
            if ((seen & bit) != 0) link_to_earlier(items, i);
            seen |= bit;
        }
    }

    void link_to_earlier(std::span<const Header> items, size_t i) {
        for (size_t k = i; k-- > 0;) {
            if (items[k].name == items[i].name) {
                links_[k].next = static_cast<uint32_t>(i);
                links_[i].first = false;
                repeats_ = true;
                return;
            }
        }
    }

    void link_by_sort(std::span<const Header> items) {
        std::vector<uint32_t> order(items.size());
        std::iota(order.begin(), order.end(), 0u);
        std::stable_sort(order.begin(), order.end(),
                         [&](uint32_t a, uint32_t b) { return items[a].name < items[b].name; });
        for (size_t n = 1; n < order.size(); ++n) {
            if (items[order[n]].name != items[order[n - 1]].name) continue;
            links_[order[n - 1]].next = order[n];
            links_[order[n]].first = false;
            repeats_ = true;
        }
    }

    std::array<Link, inline_size> inline_;
    std::vector<Link> heap_;
    Link* links_ = nullptr;
    bool repeats_ = false;
};

}  // namespace hks::runtime
