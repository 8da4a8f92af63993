// adapters/store_postgres/postgres_journal.hpp: the journal in a PostgreSQL database, which several servers share.
//
// One leads, by a lease (lease.hpp). Each append is one transaction that first compares the leader's epoch under a share lock: who was
// overtaken is refused whatever it believes. Other servers may read meanwhile, and wait to lead.
#pragma once

#include "adapters/store_postgres/lease.hpp"
#include "ports/journal.hpp"

#include <functional>
#include <memory>
#include <string>

namespace weir::store {

struct PostgresOptions {
    std::string where;              ///< Connection string or URI, without a password.
    std::string schema = "weir";    ///< Of the tables: letters, digits and underscores.
    Duration lease = seconds(10);   ///< How long the others wait for a leader that is not heard.
    bool over_the_living = false;   ///< See LeaseOptions.
};

/// A journal that leads, and knows for how long.
class PostgresJournal : public ports::Journal {
public:
    /// Whether nobody else can lead now; of each answer that grants something for a time. From any thread.
    [[nodiscard]] virtual bool leads() const = 0;
};

/// Makes the store where there is none, and leads it. in_use: another server leads.
[[nodiscard]] ports::JournalResult<std::unique_ptr<PostgresJournal>> open_postgres_journal(const PostgresOptions& options);
/// Reads a store beside its leader.
[[nodiscard]] ports::JournalResult<std::unique_ptr<ports::JournalReader>> open_postgres_reader(const PostgresOptions& options);

}  // namespace weir::store
