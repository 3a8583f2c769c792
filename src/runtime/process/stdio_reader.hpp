// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads one of a worker's output pipes on the loop and hands out lines. Owned by its instance; close() ends
// it.

#include "process/line_splitter.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <array>
#include <functional>
#include <memory>
#include <string_view>

namespace hks::runtime {

class StdioReader : public std::enable_shared_from_this<StdioReader> {
  public:
    using LineHandler = std::function<void(std::string_view)>;

    /// Takes the descriptor over.
    StdioReader(boost::asio::io_context& loop, int descriptor, LineHandler handler);
    void start();
    /// Takes what is in the pipe now, hands out the unfinished line too, and closes.
    void finish();
    void close();

  private:
    void read();
    void on_read(const boost::system::error_code& error, size_t size);

    boost::asio::posix::stream_descriptor pipe_;
    LineHandler handler_;
    LineSplitter splitter_;
    std::array<char, 4096> buffer_;
};

}  // namespace hks::runtime
