// ports/copying.hpp: whether a long copy may go on: asked by whoever reads or writes much, after each piece.
//
// It answers one question: may this work take the next piece now? Whoever ordered it may let others have their turn first (the question
// then waits), or call it off. Pieces are of a MiB or so: nobody is asked more seldom.
#pragma once

#include <cstdint>

namespace weir::ports {

enum class Onward : std::uint8_t {
    go_on = 1,
    later = 2,  ///< End here and keep what would help to take it up again.
    never = 3,  ///< End here and leave nothing: nobody wants it any more.
};

class Copying {
public:
    Copying() = default;
    Copying(const Copying&) = delete;
    Copying& operator=(const Copying&) = delete;
    virtual ~Copying() = default;
    /// `bytes` more were read or written. May wait.
    [[nodiscard]] virtual Onward onward(std::int64_t bytes) = 0;
};

/// Of a copy that nobody else waits for.
class Unhindered final : public Copying {
public:
    [[nodiscard]] Onward onward(std::int64_t) override { return Onward::go_on; }
};

}  // namespace weir::ports
