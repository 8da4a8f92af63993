// base/frozen.hpp: a value that is never changed again and is therefore shared: copying it costs a count, not its parts.
//
// For what is large, made once and kept in several places: a job's specification stands in its event, in both instances of the state
// and in what snapshots are made of. It reads like the value; to change it, put another in its place. Copies may be read by
// any thread.
#pragma once

#include <memory>
#include <utility>

namespace weir {

template <class T>
class Frozen {
public:
    using value_type = T;

    /// T{}, and no memory taken for it.
    Frozen() = default;
    // Implicit: where a frozen value is wanted, a plain one will do.
    Frozen(T value) : value_{std::make_shared<const T>(std::move(value))} {}

    [[nodiscard]] const T& operator*() const { return value_ ? *value_ : plain(); }
    [[nodiscard]] const T* operator->() const { return &**this; }
    operator const T&() const { return **this; }

    friend bool operator==(const Frozen& a, const Frozen& b) { return a.value_ == b.value_ || *a == *b; }

private:
    static const T& plain() {
        static const T value{};
        return value;
    }
    std::shared_ptr<const T> value_;
};

}  // namespace weir
