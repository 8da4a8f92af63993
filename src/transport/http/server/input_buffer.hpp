// transport/http/server/input_buffer.hpp: bytes received and not yet read; grows when needed, shrinks when idle.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace weir::http {

class InputBuffer {
public:
    [[nodiscard]] std::string_view view() const { return {bytes_.get() + begin_, end_ - begin_}; }
    [[nodiscard]] bool empty() const { return begin_ == end_; }
    [[nodiscard]] std::size_t size() const { return end_ - begin_; }

    void consume(std::size_t n) {
        begin_ += n;
        if (begin_ == end_) begin_ = end_ = 0;
    }
    /// Free space behind the content; the capacity becomes at least `capacity`, and grows beyond only when full.
    [[nodiscard]] std::span<char> room(std::size_t capacity) {
        if (capacity_ < capacity || end_ - begin_ == capacity_) {
            resize(std::max(capacity, 2 * (end_ - begin_)));
        } else if (end_ == capacity_) {
            std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
            end_ -= begin_;
            begin_ = 0;
        }
        return {bytes_.get() + end_, capacity_ - end_};
    }
    void commit(std::size_t n) { end_ += n; }
    /// Gives the memory back; what it held is lost.
    void release() {
        bytes_.reset();
        begin_ = end_ = capacity_ = 0;
    }
    [[nodiscard]] std::size_t capacity() const { return capacity_; }

private:
    void resize(std::size_t capacity) {
        auto bytes = std::make_unique_for_overwrite<char[]>(capacity);
        std::copy(bytes_.get() + begin_, bytes_.get() + end_, bytes.get());
        bytes_ = std::move(bytes);
        end_ -= begin_;
        begin_ = 0;
        capacity_ = capacity;
    }

    std::unique_ptr<char[]> bytes_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace weir::http
