#include "transport/http/server/request_parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

namespace weir::http {
namespace {

namespace beast = boost::beast;
using Code = boost::system::error_code;
using View = beast::string_view;

/// Beast would report progress for ever on nothing at all.
constexpr std::size_t least_bytes = 1;
/// What is left of a chunked body ends with "0", two line ends, so five bytes at least; Beast 1.81 asserts that it sees them
/// where a body begins with its last chunk.
constexpr std::size_t least_chunked_bytes = 5;

std::string_view view(View text) { return {text.data(), text.size()}; }

}  // namespace

struct RequestParser::Impl {
    /// Beast's callbacks, into the head and to the taker.
    class Reader final : public beast::http::basic_parser<true> {
    public:
        explicit Reader(Impl& owner) : owner_{owner} {
            body_limit(boost::none);
            header_limit(static_cast<std::uint32_t>(owner.limits.header_bytes));
        }

        void on_request_impl(beast::http::verb, View method, View target, int version, Code& code) override {
            owner_.head.method = view(method);
            owner_.head.target = view(target);
            owner_.head.is_http_11 = version >= 11;
            if (target.size() > owner_.limits.target_bytes) code = owner_.fail_with(ParseFault::target_too_long);
        }
        void on_response_impl(int, View, int, Code&) override {}
        void on_field_impl(beast::http::field, View name, View value, Code& code) override {
            if (is_header_done()) return;  // a trailer: nobody reads those
            if (owner_.head.headers.size() == owner_.limits.header_fields) {
                code = owner_.fail_with(ParseFault::too_many_fields);
                return;
            }
            owner_.head.headers.add(view(name), view(value));
        }
        void on_header_impl(Code&) override {}
        void on_body_init_impl(const boost::optional<std::uint64_t>&, Code&) override {}
        std::size_t on_body_impl(View body, Code& code) override { return take(body, code); }
        void on_chunk_header_impl(std::uint64_t, View, Code&) override {}
        std::size_t on_chunk_body_impl(std::uint64_t, View body, Code& code) override { return take(body, code); }
        void on_finish_impl(Code&) override {}

    private:
        std::size_t take(View piece, Code& code) {
            if (!owner_.taker->take_piece(view(piece))) code = owner_.fail_with(ParseFault::refused_by_taker);
            return piece.size();
        }
        Impl& owner_;
    };

    explicit Impl(Limits given) : limits{given} {}

    Code fail_with(ParseFault why) {
        fault = why;
        return beast::http::error::bad_value;
    }

    /// Runs Beast over `input` until it wants more, `done` holds, or it fails. Fewer than `least` bytes are left to grow.
    template <class Done>
    Advance run(std::string_view input, std::size_t least, Done done) {
        Advance advance;
        while (!done()) {
            Code code;
            fault = ParseFault::malformed;
            const std::string_view rest = input.substr(advance.consumed);
            if (rest.size() < least) return advance;
            advance.consumed += reader->put(boost::asio::const_buffer{rest.data(), rest.size()}, code);
            if (code == beast::http::error::need_more) return advance;
            if (code) {
                classify(code);
                advance.step = Step::failed;
                return advance;
            }
        }
        advance.step = Step::complete;
        return advance;
    }

    void classify(const Code& code) {
        if (fault != ParseFault::malformed) return;
        if (code == beast::http::error::bad_version) fault = ParseFault::unknown_version;
        if (code == beast::http::error::header_limit) fault = ParseFault::header_too_large;
        detail = code.message();
    }

    /// The rules of RFC 9112 that Beast leaves to its user.
    std::optional<ParseFault> check_head() {
        const auto coding = head.headers.find("Transfer-Encoding");
        const std::size_t hosts = head.headers.count("Host");
        if (coding && (!head.is_http_11 || head.headers.count("Content-Length") > 0)) {
            detail = "a request has either a Content-Length or, from HTTP/1.1 on, a Transfer-Encoding";
            return ParseFault::malformed;
        }
        if (coding && (!same_name(*coding, "chunked") || head.headers.count("Transfer-Encoding") > 1))
            return ParseFault::unknown_transfer_coding;
        if (hosts > 1 || (hosts == 0 && head.is_http_11)) return ParseFault::bad_host;
        return std::nullopt;
    }

    void finish_head() {
        head.keep_alive = reader->keep_alive();
        head.chunked = reader->chunked();
        head.has_body = !reader->is_done();
        const auto length = reader->content_length();
        head.content_length = length ? std::optional{*length} : std::nullopt;
    }

    Limits limits;
    RequestHead head;
    std::size_t head_bytes = 0;
    ParseFault fault = ParseFault::malformed;
    std::string detail;
    PieceTaker* taker = nullptr;
    std::optional<Reader> reader;
};

RequestParser::RequestParser(Limits limits) : impl_{std::make_unique<Impl>(limits)} { restart(); }
RequestParser::~RequestParser() = default;

void RequestParser::restart() {
    impl_->head = {};
    impl_->head_bytes = 0;
    impl_->detail.clear();
    impl_->reader.emplace(*impl_);
}

RequestParser::Advance RequestParser::read_head(std::string_view input) {
    Impl& self = *impl_;
    Advance advance = self.run(input, least_bytes, [&] { return self.reader->is_header_done(); });
    self.head_bytes += advance.consumed;
    const std::size_t pending = advance.step == Step::need_more ? input.size() - advance.consumed : 0;
    const bool in_first_line = self.head.method.empty();
    if (self.head_bytes + pending > self.limits.header_bytes && advance.step != Step::failed) {
        self.fault = ParseFault::header_too_large;
        advance.step = Step::failed;
    }
    if (advance.step == Step::failed) {
        if (in_first_line && self.fault == ParseFault::header_too_large) self.fault = ParseFault::target_too_long;
        return advance;
    }
    if (advance.step == Step::need_more) return advance;
    self.finish_head();
    if (const auto fault = self.check_head()) {
        self.fault = *fault;
        advance.step = Step::failed;
    }
    return advance;
}

RequestParser::Advance RequestParser::read_body(std::string_view input, PieceTaker& taker) {
    impl_->taker = &taker;
    return impl_->run(input, impl_->head.chunked ? least_chunked_bytes : least_bytes, [&] { return impl_->reader->is_done(); });
}

RequestHead& RequestParser::head() { return impl_->head; }
ParseFault RequestParser::fault() const { return impl_->fault; }
const std::string& RequestParser::detail() const { return impl_->detail; }

}  // namespace weir::http
