// Fuzzes what a client may send as a body: no bytes crash the reading of a form, what is refused is refused by a whole problem
// document, and what is taken prints as a text that reads back as the same.
//
// The first byte chooses the form and whether it comes as YAML; the rest is the body.
#include "transport/api/context.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

using namespace weir;
using namespace weir::api;

template <class Form>
void take(const http::Request& request) {
    const auto form = decode_body<Form>(request, true);
    if (!form) {
        const auto& refusal = form.error();
        if (refusal.status < 400 || refusal.status > 422 || !codec::read_json(refusal.body)) std::abort();
        return;
    }
    const auto text = codec::to_json(*form);
    const auto again = codec::decode_json<Form>(text, "body");
    if (!again || codec::to_json(*again) != text) std::abort();
}

using Taker = void (*)(const http::Request&);
constexpr Taker takers[] = {take<JobForm>,        take<JobBatchForm>, take<OrganisationForm>, take<ProjectForm>,
                            take<SiteForm>,       take<Programme>,    take<RolesForm>,        take<TokenForm>,
                            take<AgentTokenForm>, take<AwardForm>,    take<DepositForm>,      take<SiteReport>};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    http::Request request;
    request.method = http::Method::post;
    request.target = "/v1/fuzzed";
    request.headers.add("Content-Type", (data[0] & 0x80U) != 0 ? "application/yaml" : "application/json");
    request.body.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
    takers[(data[0] & 0x1FU) % std::size(takers)](request);
    return 0;
}
