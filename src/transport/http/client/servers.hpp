// transport/http/client/servers.hpp: a network with several servers, of which one leads: whom to ask next.
//
// It answers nothing by itself: it keeps a Client for each address and the one that was asked last. Whoever asks goes on to the next where
// is_elsewhere() says that nothing was done here; after a broken connection only where a repetition does no harm.
// One thread at a time; only interrupt() may come from another.
#pragma once

#include "transport/http/client/client.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::http {

/// More are a mistake: an address is asked in its turn, and each that is dead costs a connection's time.
inline constexpr std::size_t servers_max = 8;

/// The addresses of `http://a:7440,http://b:7440`, without blanks and closing slashes; an empty part stays one.
[[nodiscard]] std::vector<std::string> split_servers(std::string_view list);

/// Whether this server did nothing and another one may: nobody was reached, or it does not lead.
[[nodiscard]] bool is_elsewhere(const Result<Answer, CallError>& answer);

class Servers {
public:
    /// Of 1 to servers_max base URLs between commas; `fit` sets what all have alike. Nothing where one of them is no base URL.
    [[nodiscard]] static std::optional<Servers> make(std::string_view list, const std::function<void(ClientOptions&)>& fit);

    [[nodiscard]] std::size_t count() const { return all_.size(); }
    /// Of the one to ask.
    [[nodiscard]] Client& client() { return all_[at_].client; }
    [[nodiscard]] const std::string& url() const { return all_[at_].url; }
    /// From now on the one after it is asked; with one address the same again.
    void next() { at_ = (at_ + 1) % all_.size(); }
    /// From any thread: see Client::interrupt().
    void interrupt();

private:
    struct One {
        std::string url;
        Client client;
    };
    std::vector<One> all_;
    std::size_t at_ = 0;
};

}  // namespace weir::http
