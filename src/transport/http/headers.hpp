// transport/http/headers.hpp: the fields of a message, in the order they came, names without case.
//
// All text lies in one string, so that a request costs two allocations here and not two per field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::http {

/// Equal but for the case of ASCII letters.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b);

/// Appends a field's value with each control character but the tab as a space: no caller can split a message.
void append_value(std::string& out, std::string_view value);

class Headers {
public:
    struct Field {
        std::string_view name;
        std::string_view value;
    };

    /// Appends a field; the value as append_value() has it.
    void add(std::string_view name, std::string_view value);
    /// The first field of that name. Views live as long as this object is neither changed nor moved.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
    /// How many fields have that name.
    [[nodiscard]] std::size_t count(std::string_view name) const;
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    [[nodiscard]] Field operator[](std::size_t index) const;
    void clear();

private:
    struct Entry {
        std::uint32_t begin = 0;
        std::uint32_t name_size = 0;
        std::uint32_t value_size = 0;
    };
    std::string text_;
    std::vector<Entry> entries_;
};

}  // namespace weir::http
