#include "control/core/upcast.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace weir::control {

// No form has changed yet: every event that was ever written is of today's form.
std::span<const Upcast> upcasts() { return {}; }

std::uint16_t upcast(std::uint16_t type, codec::Value& event, std::span<const Upcast> steps) {
    for (const auto& step : steps) {
        if (step.from != type) continue;
        step.change(event);
        type = step.to;
    }
    return type;
}

codec::Value* field_of(codec::Value& object, std::string_view name) {
    auto* members = object.object();
    if (members == nullptr) return nullptr;
    const auto found = std::ranges::find(*members, name, &codec::Member::key);
    return found == members->end() ? nullptr : &found->value;
}

void rename_field(codec::Value& object, std::string_view from, std::string_view to) {
    auto* members = object.object();
    if (members == nullptr || field_of(object, to) != nullptr) return;
    const auto found = std::ranges::find(*members, from, &codec::Member::key);
    if (found != members->end()) found->key = std::string{to};
}

void add_field(codec::Value& object, std::string_view name, codec::Value value) {
    auto* members = object.object();
    if (members == nullptr || field_of(object, name) != nullptr) return;
    const auto at = value.at();
    members->push_back({std::string{name}, std::move(value), at});
}

void drop_field(codec::Value& object, std::string_view name) {
    if (auto* members = object.object(); members != nullptr) {
        std::erase_if(*members, [name](const codec::Member& member) { return member.key == name; });
    }
}

}  // namespace weir::control
