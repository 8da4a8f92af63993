// apps/up/user_block.hpp: which users this demonstration's tasks run under, so that two at once on one host share none.
#pragma once

#include <optional>

namespace weir::up {

/// A run of users of this host that no other demonstration uses while this lives. A crash gives it back.
class UserBlock {
public:
    static constexpr unsigned users = 300;
    static constexpr unsigned first_user = 61'000;
    static constexpr unsigned blocks = 8;

    /// Nothing where the names of all are taken.
    [[nodiscard]] static std::optional<UserBlock> claim();
    UserBlock(UserBlock&& other) noexcept;
    UserBlock& operator=(UserBlock&&) = delete;
    ~UserBlock();

    [[nodiscard]] unsigned first() const { return first_; }

private:
    UserBlock(int socket, unsigned first) : socket_{socket}, first_{first} {}
    int socket_;
    unsigned first_;
};

}  // namespace weir::up
