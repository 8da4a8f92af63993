#include "transport/http/client/servers.hpp"

#include "transport/http/problem.hpp"

#include <utility>

namespace weir::http {

std::vector<std::string> split_servers(std::string_view list) {
    constexpr std::string_view blank = " \t\r\n";
    std::vector<std::string> all;
    for (std::size_t from = 0; from <= list.size();) {
        const auto end = std::min(list.find(',', from), list.size());
        auto one = list.substr(from, end - from);
        one.remove_prefix(std::min(one.find_first_not_of(blank), one.size()));
        one = one.substr(0, one.find_last_not_of(blank) + 1);
        while (one.ends_with('/')) one.remove_suffix(1);
        all.emplace_back(one);
        from = end + 1;
    }
    return all;
}

bool is_elsewhere(const Result<Answer, CallError>& answer) {
    if (!answer) return !answer.error().maybe_sent && answer.error().fault <= CallFault::unreachable;
    // The word alone is looked for: a body that is no problem document does not have it.
    return answer->status == 503 && answer->body.contains('"' + problem_type(not_leader_code) + '"');
}

std::optional<Servers> Servers::make(std::string_view list, const std::function<void(ClientOptions&)>& fit) {
    Servers servers;
    for (auto& url : split_servers(list)) {
        auto options = parse_base_url(url);
        if (!options || servers.all_.size() == servers_max) return std::nullopt;
        fit(*options);
        servers.all_.push_back({std::move(url), Client{*std::move(options)}});
    }
    return servers;
}

void Servers::interrupt() {
    for (auto& one : all_) one.client.interrupt();
}

}  // namespace weir::http
