// base/result.hpp: a value, or the reason why there is none.
#pragma once

#include <tl/expected.hpp>

#include <utility>

namespace weir {

template <class T, class E>
using Result = tl::expected<T, E>;

template <class E>
[[nodiscard]] auto fail(E&& error) {
    return tl::make_unexpected(std::forward<E>(error));
}

}  // namespace weir

/// Unwraps a Result inside a function that returns one: `const auto job = WEIR_TRY(parse(text));`.
/// A statement expression: for functions only, never inside a coroutine.
#define WEIR_TRY(expression)                                                       \
    __extension__({                                                                \
        auto weir_try_result = (expression);                                       \
        if (!weir_try_result) {                                                    \
            return ::tl::make_unexpected(std::move(weir_try_result).error());      \
        }                                                                          \
        std::move(weir_try_result).value();                                        \
    })

/// As WEIR_TRY, for a Result<void, E>.
#define WEIR_CHECK(expression)                                                     \
    do {                                                                           \
        if (auto weir_check_result = (expression); !weir_check_result) {           \
            return ::tl::make_unexpected(std::move(weir_check_result).error());    \
        }                                                                          \
    } while (false)
