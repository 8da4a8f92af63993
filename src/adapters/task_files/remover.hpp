// adapters/task_files/remover.hpp: what is not needed any more, removed beside everything else.
//
// It answers one question: how does a folder of a tenant's disappear, however many files it has and however deep they lie? Which
// folder may go is the site's to say. It is renamed into a folder of the root, which takes no time, and a thread empties that folder:
// what a killed agent left in it too.
//
//     <root>/removed/<number>       0700: nobody else gets in
//
// A folder with something in it is moved up beside the one that it was found in, so nothing is ever deeper than one folder below
// `removed`: no recursion, two descriptors. Nothing is followed.
#pragma once

#include "adapters/task_files/files.hpp"

#include <memory>
#include <string>

namespace weir::task_files {

inline constexpr const char* removed_folder = "removed";

class Remover {
public:
    /// Begins with what is there already.
    [[nodiscard]] static BackendResult<std::unique_ptr<Remover>> open(int root);
    Remover(const Remover&) = delete;
    Remover& operator=(const Remover&) = delete;
    /// Ends within some hundred files; the next one goes on.
    ~Remover();

    /// Takes `name` out of `directory`, of the same file system; true where it is not there any more. Any thread may call.
    [[nodiscard]] bool take(int directory, const std::string& name);
    /// Waits until nothing is left to be removed: for tests.
    void await_empty();

private:
    struct Impl;
    explicit Remover(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::task_files
