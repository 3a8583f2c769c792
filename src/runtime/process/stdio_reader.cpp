// SPDX-License-Identifier: Apache-2.0
#include "process/stdio_reader.hpp"

#include <boost/asio/buffer.hpp>

#include <unistd.h>

namespace hks::runtime {

namespace {
constexpr size_t last_words = 1 << 20;
}

StdioReader::StdioReader(boost::asio::io_context& loop, int descriptor, LineHandler handler)
    : pipe_(loop, descriptor), handler_(std::move(handler)) {
    pipe_.non_blocking(true);
}

void StdioReader::start() {
    read();
}

void StdioReader::read() {
    pipe_.async_read_some(boost::asio::buffer(buffer_),
                          [self = shared_from_this()](const boost::system::error_code& error, size_t size) {
                              self->on_read(error, size);
                          });
}

void StdioReader::on_read(const boost::system::error_code& error, size_t size) {
    if (!pipe_.is_open()) return;
    splitter_.feed({buffer_.data(), size}, handler_);
    if (!error) return read();
    splitter_.flush(handler_);
    close();
}

void StdioReader::finish() {
    if (!pipe_.is_open()) return;
    // A child that kept the pipe may write for ever: its words after this much are not waited for.
    for (size_t taken = 0; taken < last_words;) {
        const ssize_t n = ::read(pipe_.native_handle(), buffer_.data(), buffer_.size());
        if (n <= 0) break;
        taken += static_cast<size_t>(n);
        splitter_.feed({buffer_.data(), static_cast<size_t>(n)}, handler_);
    }
    splitter_.flush(handler_);
    close();
}

void StdioReader::close() {
    boost::system::error_code ignored;
    pipe_.close(ignored);
}

}  // namespace hks::runtime
