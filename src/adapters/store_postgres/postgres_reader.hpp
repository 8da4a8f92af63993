// adapters/store_postgres/postgres_reader.hpp: reads of committed records on a connection of its own.
#pragma once

#include "adapters/store_postgres/connection.hpp"

#include <memory>
#include <string>
#include <vector>

namespace weir::store {

class PostgresReader final : public ports::JournalReader {
public:
    [[nodiscard]] static ports::JournalResult<std::unique_ptr<PostgresReader>> open(const std::string& where, const std::string& schema);
    PostgresReader(PgConnection connection, std::string store, ports::StoreIdentity identity)
        : connection_{std::move(connection)}, store_{std::move(store)}, identity_{std::move(identity)} {}

    ports::JournalResult<ports::StoreIdentity> identity() override { return identity_; }
    ports::JournalResult<ports::Head> head() override;
    ports::JournalResult<std::vector<ports::Record>> read(std::uint64_t from, std::size_t max_records, std::size_t max_bytes) override;
    ports::JournalResult<ports::Verification> verify(std::uint64_t from, std::uint64_t to) override;
    ports::JournalResult<ports::SnapshotSearch> latest_snapshot(std::uint32_t version, std::uint64_t at_most) override;
    ports::JournalResult<std::optional<std::string>> meta(const std::string& key) override;

    [[nodiscard]] ports::JournalResult<std::optional<Digest>> hash_at(std::uint64_t revision);
    [[nodiscard]] PgConnection& connection() { return connection_; }

private:
    PgConnection connection_;
    std::string store_;
    ports::StoreIdentity identity_;
};

}  // namespace weir::store
