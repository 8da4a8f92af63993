#include "apps/client/source.hpp"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace weir::cli {
namespace {

constexpr std::size_t file_bytes_max = codec::largest_yaml_bytes;

Result<std::string, Failure> read_text(std::istream& stream, const std::string& origin) {
    std::string text(file_bytes_max + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(stream.gcount()));
    if (text.size() > file_bytes_max)
        return fail(usage(
            fmt::format("{} has more than {} bytes, which is the most that is taken; is it the right file?", origin, file_bytes_max)));
    return text;
}

/// The first step of a path and what follows: `a.b[0]` is `a` and `b[0]`.
std::pair<std::string_view, std::string_view> step(std::string_view path) {
    if (path.starts_with('[')) {
        const auto end = path.find(']');
        const auto rest = end == std::string_view::npos ? std::string_view{} : path.substr(end + 1);
        return {path.substr(1, end - 1), rest.starts_with('.') ? rest.substr(1) : rest};
    }
    const auto end = path.find_first_of(".[");
    if (end == std::string_view::npos) return {path, {}};
    return {path.substr(0, end), path.substr(path[end] == '.' ? end + 1 : end)};
}

const codec::Value* child_of(const codec::Value& value, std::string_view name) {
    if (const auto* member = value.find(name); member != nullptr) return member;
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (error != std::errc{} || end != name.data() + name.size()) return nullptr;
    if (const auto* array = value.array()) return index < array->size() ? &(*array)[index] : nullptr;
    // A list may be written as a mapping, such as accelerators: {A100: 8, H100: 4}.
    const auto* object = value.object();
    return object != nullptr && index < object->size() ? &(*object)[index].value : nullptr;
}

}  // namespace

Result<Source, Failure> read_source(const Console& console, const std::string& path) {
    Source source{path == "-" ? "standard input" : path, {}};
    std::string text;
    if (path == "-") {
        text = WEIR_TRY(read_text(console.in, source.origin));
    } else {
        std::error_code unknown;
        if (std::filesystem::is_directory(path, unknown))
            return fail(usage(fmt::format("{} is a directory; name the file in it, such as {}/job.yaml", path, path)));
        std::ifstream file{path, std::ios::binary};
        if (!file) return fail(usage(fmt::format("{} cannot be opened; check its path and mode", path)));
        text = WEIR_TRY(read_text(file, source.origin));
    }
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string::npos) return fail(usage(fmt::format("{} is empty; is it the right file?", source.origin)));
    const bool is_json = path.ends_with(".json") || (first != std::string::npos && text[first] == '{');
    auto value = is_json ? codec::read_json(text) : codec::read_yaml(text);
    if (!value) return fail(failure_of(codec::Problems{codec::problem_of(std::move(value).error(), source.origin)}));
    source.value = std::move(*value);
    return source;
}

codec::Position place_of(const codec::Value& value, std::string_view path) {
    const auto* at = &value;
    while (!path.empty()) {
        const auto [name, rest] = step(path);
        const auto* child = child_of(*at, name);
        if (child == nullptr) break;
        at = child;
        path = rest;
    }
    return at->at();
}

Failure placed(const Source& source, Failure failure) {
    const auto at_its_line = [&](std::string_view field, std::string message) {
        if (field.starts_with("spec.")) field.remove_prefix(5);
        if (field.empty() || child_of(source.value, step(field).first) == nullptr) return message;
        const auto at = place_of(source.value, field);
        return at.line > 0 ? fmt::format("{}:{}:{}: {}", source.origin, at.line, at.column, message) : message;
    };
    if (failure.flaws.size() < 2) {
        failure.message = at_its_line(failure.field, std::move(failure.message));
        return failure;
    }
    failure.message.clear();
    for (const auto& [field, message] : failure.flaws) {
        if (!failure.message.empty()) failure.message += '\n';
        failure.message += at_its_line(field, field.empty() ? message : field + ": " + message);
    }
    return failure;
}

}  // namespace weir::cli
