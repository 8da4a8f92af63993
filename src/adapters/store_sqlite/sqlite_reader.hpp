// adapters/store_sqlite/sqlite_reader.hpp: reads and verifies committed records of one store file.
#pragma once

#include "adapters/store_sqlite/snapshot_shelf.hpp"
#include "adapters/sqlite/sqlite.hpp"
#include "ports/journal.hpp"

#include <memory>
#include <string>

namespace weir::store {

class SqliteReader final : public ports::JournalReader {
public:
    /// Faults: not_found, unknown_format, damaged, unavailable.
    [[nodiscard]] static ports::JournalResult<std::unique_ptr<SqliteReader>> open(const std::string& path, const std::string& vfs);
    /// Reads over a connection that is open already; its identity has been checked.
    SqliteReader(Connection connection, std::string path, std::string vfs, ports::StoreIdentity identity);

    [[nodiscard]] ports::JournalResult<ports::StoreIdentity> identity() override { return identity_; }
    [[nodiscard]] ports::JournalResult<ports::Head> head() override;
    [[nodiscard]] ports::JournalResult<std::vector<ports::Record>> read(std::uint64_t from, std::size_t max_records,
                                                                        std::size_t max_bytes) override;
    [[nodiscard]] ports::JournalResult<ports::Verification> verify(std::uint64_t from, std::uint64_t to) override;
    [[nodiscard]] ports::JournalResult<ports::SnapshotSearch> latest_snapshot(std::uint32_t version, std::uint64_t at_most) override;
    [[nodiscard]] ports::JournalResult<std::optional<std::string>> meta(const std::string& key) override;

    /// The highest epoch that a writer of this store has had.
    [[nodiscard]] ports::JournalResult<ports::Epoch> epoch();

    /// The stored hash of a revision; all zeros for 0; nothing if there is no such record.
    [[nodiscard]] ports::JournalResult<std::optional<Digest>> hash_at(std::uint64_t revision);

private:
    /// Checks the next records of a range against `end`; false once the range is done or a bad record was found.
    [[nodiscard]] ports::JournalResult<bool> verify_some(ports::Verification& so_far, std::uint64_t to);

    std::string path_;
    std::string vfs_;
    ports::StoreIdentity identity_;
    Connection connection_;
    Statement range_;
    Statement last_;
    Statement hash_;
};

}  // namespace weir::store
