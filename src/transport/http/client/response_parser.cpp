#include "transport/http/client/response_parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <optional>
#include <utility>

namespace weir::http {
namespace {

namespace beast = boost::beast;
using Code = boost::system::error_code;
using View = beast::string_view;

constexpr std::uint32_t head_limit = 64 * 1024;

std::string_view view(View text) { return {text.data(), text.size()}; }

}  // namespace

struct ResponseParser::Impl {
    class Reader final : public beast::http::basic_parser<false> {
    public:
        explicit Reader(Impl& owner) : owner_{owner} {
            body_limit(boost::none);
            header_limit(head_limit);
            if (owner.head_only) skip(true);
        }
        void on_request_impl(beast::http::verb, View, View, int, Code&) override {}
        void on_response_impl(int code, View, int, Code&) override {
            owner_.status = code;
            owner_.headers.clear();
        }
        void on_field_impl(beast::http::field, View name, View value, Code&) override {
            if (!is_header_done()) owner_.headers.add(view(name), view(value));
        }
        void on_header_impl(Code& code) override {
            if (owner_.is_interim()) return;
            if (!owner_.taker.take_head(owner_.status, std::move(owner_.headers))) code = owner_.stop();
        }
        void on_body_init_impl(const boost::optional<std::uint64_t>&, Code&) override {}
        std::size_t on_body_impl(View body, Code& code) override { return take(body, code); }
        void on_chunk_header_impl(std::uint64_t, View, Code&) override {}
        std::size_t on_chunk_body_impl(std::uint64_t, View body, Code& code) override { return take(body, code); }
        void on_finish_impl(Code&) override {}

    private:
        std::size_t take(View piece, Code& code) {
            if (!piece.empty() && !owner_.taker.take_piece(view(piece))) code = owner_.stop();
            return piece.size();
        }
        Impl& owner_;
    };

    Impl(Taker& to, bool only_head) : taker{to}, head_only{only_head} { reader.emplace(*this); }

    [[nodiscard]] bool is_interim() const { return status >= 100 && status < 200; }
    Code stop() {
        stopped = true;
        return beast::http::error::bad_value;
    }
    Step outcome(const Code& code) {
        detail = code.message();
        return stopped ? Step::stopped : Step::failed;
    }

    Taker& taker;
    bool head_only;
    bool stopped = false;
    int status = 0;
    Headers headers;
    std::string detail;
    std::optional<Reader> reader;
};

ResponseParser::ResponseParser(Taker& taker, bool head_only) : impl_{std::make_unique<Impl>(taker, head_only)} {}
ResponseParser::~ResponseParser() = default;

ResponseParser::Step ResponseParser::feed(std::string_view& input) {
    Impl& self = *impl_;
    while (true) {
        if (self.reader->is_done()) {
            if (!self.is_interim()) return Step::complete;
            self.reader.emplace(self);
            self.status = 0;
        }
        Code code;
        const std::size_t read = self.reader->put(boost::asio::const_buffer{input.data(), input.size()}, code);
        input.remove_prefix(read);
        if (code == beast::http::error::need_more) return Step::need_more;
        if (code) return self.outcome(code);
        if (input.empty() && !self.reader->is_done()) return Step::need_more;
    }
}

ResponseParser::Step ResponseParser::end() {
    Impl& self = *impl_;
    if (!self.reader->got_some() || self.is_interim()) {
        self.detail = "the connection was closed before an answer";
        return Step::failed;
    }
    Code code;
    self.reader->put_eof(code);
    return code ? self.outcome(code) : Step::complete;
}

bool ResponseParser::keep_alive() const { return impl_->reader->is_done() && impl_->reader->keep_alive(); }
const std::string& ResponseParser::detail() const { return impl_->detail; }

}  // namespace weir::http
