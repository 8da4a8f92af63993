// transport/http/server/output_buffer.hpp: bytes to send. Heads and small bodies are gathered in one string, a
// large body stays where it is; while one load is on its way the next one is gathered.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace weir::http {

class OutputBuffer {
public:
    /// Gathered and not yet on its way.
    [[nodiscard]] std::string& text() { return text_; }
    [[nodiscard]] bool empty() const { return text_.empty() && body_.empty(); }
    /// No more may be gathered before this is sent.
    [[nodiscard]] bool full() const { return !body_.empty() || text_.size() >= gather_bytes; }

    /// Appends `body`: copied when small, otherwise kept as the end of this load.
    void add_body(std::string body) {
        if (body.size() <= copy_bytes) {
            text_ += body;
        } else {
            body_ = std::move(body);
        }
    }
    /// Puts what was gathered on its way; the load before must be done.
    void load() {
        sent_ = 0;
        loaded_text_.clear();
        std::swap(loaded_text_, text_);
        loaded_body_ = std::exchange(body_, {});
    }
    /// What is still to be sent of the load.
    [[nodiscard]] std::array<std::string_view, 2> remaining() const {
        const std::string_view text = loaded_text_;
        const std::string_view body = loaded_body_;
        const std::size_t of_text = sent_ < text.size() ? sent_ : text.size();
        return {text.substr(of_text), body.substr(sent_ - of_text)};
    }
    void sent(std::size_t n) { sent_ += n; }
    [[nodiscard]] bool done() const { return sent_ == loaded_text_.size() + loaded_body_.size(); }
    /// Takes the spent body's memory for reuse.
    [[nodiscard]] std::string take_spent_body() { return std::exchange(loaded_body_, {}); }
    /// Gives back memory beyond what an idle connection should hold.
    void shrink(std::size_t keep_bytes) {
        if (loaded_text_.capacity() > keep_bytes) loaded_text_ = {};
        if (text_.empty() && text_.capacity() > keep_bytes) text_ = {};
        loaded_body_ = {};
        sent_ = loaded_text_.size();
    }

private:
    static constexpr std::size_t copy_bytes = 16 * 1024;
    static constexpr std::size_t gather_bytes = 64 * 1024;

    std::string text_;
    std::string body_;
    std::string loaded_text_;
    std::string loaded_body_;
    std::size_t sent_ = 0;
};

}  // namespace weir::http
