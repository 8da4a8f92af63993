#include "codec/sample_random.hpp"

#include <cmath>
#include <cstring>

namespace weir::codec::sample {
namespace {

/// An integer that is often at an edge.
std::int64_t edgy(Random& random) {
    constexpr std::array<std::int64_t, 10> edges{INT64_MIN, INT64_MIN + 1, -(1LL << 53) - 1, -(1LL << 53), -1,
                                                 0,         1,             1LL << 53,        (1LL << 53) + 1, INT64_MAX};
    if (random.chance(1, 3)) return edges[random.below(edges.size())];
    return static_cast<std::int64_t>(random.next()) >> random.below(64);
}

double real(Random& random) {
    constexpr std::array edges{0.0, -0.0, 1.0, 0.1, 1e17, 1e22, 5e-324, 1.7976931348623157e308, -1e-7, 123456789.125};
    if (random.chance(1, 2)) return edges[random.below(edges.size())];
    while (true) {
        const auto bits = random.next();
        double number = 0;
        std::memcpy(&number, &bits, sizeof number);
        if (std::isfinite(number)) return number;
    }
}

std::string text(Random& random) {
    constexpr std::array<std::string_view, 14> pieces{"a",  "B7", "\"", "\\", "\n", "\x01", "\x7f",
                                                      "é",  "堰", "😀", "/",  "no", "5",    "\xEF\xBF\xBD"};
    std::string out;
    for (auto left = random.below(8); left > 0; --left) out += pieces[random.below(pieces.size())];
    if (random.chance(1, 9)) out.push_back('\0');
    return out;
}

template <class Kind>
Name<Kind> name(Random& random) {
    std::string out(1, static_cast<char>('a' + random.below(26)));
    for (auto left = random.below(5); left > 0; --left) out += std::array{"b", "-c", ".d", "9"}[random.below(4)];
    return {out};
}

Uid uid(Random& random) {
    const auto high = random.next();
    return {high, random.next()};
}

Resources resources(Random& random) {
    Resources out;
    out.nodes = static_cast<std::int32_t>(random.between(1, 4096));
    out.energy_j = {random.between(0, INT64_MAX)};
    out.share = static_cast<double>(random.below(1025)) / 1024;
    return out;
}

Tree tree(Random& random, int depth) {
    Tree out;
    out.label = text(random);
    for (auto left = depth == 0 ? 0 : random.below(3); left > 0; --left) out.children.push_back(tree(random, depth - 1));
    return out;
}

void make_scalars(Random& random, Everything& out) {
    out.flag = random.chance(1, 2);
    out.tiny = static_cast<std::int8_t>(edgy(random));
    out.octet = static_cast<std::uint8_t>(edgy(random));
    out.middle = static_cast<std::int32_t>(edgy(random));
    out.natural = static_cast<std::uint32_t>(edgy(random));
    out.wide = edgy(random);
    out.widest = static_cast<std::uint64_t>(edgy(random));
    out.real = real(random);
    out.text = text(random);
    out.tier = std::array{Tier::edge, Tier::cloud, Tier::core}[random.below(3)];
    out.role = random.chance(1, 2) ? Role::owner : Role::operator_;
    out.price_fen = {edgy(random)};
    out.at = {edgy(random) / 2};
    out.grace = {edgy(random)};
    if (random.chance(4, 5)) out.site = name<SiteKind>(random);
    out.job = {uid(random)};
    out.uid = uid(random);
    for (auto& byte : out.digest.bytes) byte = static_cast<std::uint8_t>(random.next());
    out.version.major = static_cast<std::uint32_t>(random.below(1'000'000'000));
    out.version.minor = static_cast<std::uint32_t>(random.below(12));
    if (random.chance(1, 2)) out.cards.model = "H800" + text(random);
    out.cards.count = edgy(random);
}

}  // namespace

Everything make_everything(std::uint64_t seed) {
    Random random{seed, "sample"};
    Everything out;
    make_scalars(random, out);
    if (random.chance(1, 2)) out.maybe = edgy(random);
    if (random.chance(1, 2)) out.resources = resources(random);
    const auto times = [&](auto&& make) {
        for (auto left = random.below(5); left > 0; --left) make();
    };
    times([&] { out.words.push_back(text(random)); });
    times([&] { out.bits.push_back(random.chance(1, 2)); });
    times([&] { out.gaps.push_back(random.chance(1, 2) ? std::optional{static_cast<std::int32_t>(edgy(random))} : std::nullopt); });
    for (auto& item : out.triple) item = static_cast<std::uint16_t>(edgy(random));
    times([&] { out.sites.insert(name<SiteKind>(random)); });
    times([&] {
        auto key = text(random);
        out.envs[std::move(key)] = text(random);
    });
    times([&] {
        const Id<JobKind> key{uid(random)};
        out.by_job[key] = resources(random);
    });
    times([&] {
        const auto key = std::array{Tier::edge, Tier::cloud, Tier::core}[random.below(3)];
        out.by_tier_fen[key] = {edgy(random)};
    });
    times([&] {
        if (random.chance(1, 2)) {
            auto site = name<SiteKind>(random);
            out.outcomes.emplace_back(Placed{.site = std::move(site), .generation = static_cast<std::uint32_t>(random.next())});
        } else {
            out.outcomes.emplace_back(Refused{.reason = text(random)});
        }
    });
    out.tree = tree(random, 3);
    return out;
}

}  // namespace weir::codec::sample
