// adapters/store_postgres/schema.hpp: the tables of a store, made once and checked at each opening.
#pragma once

#include "adapters/store_postgres/connection.hpp"

#include <cstdint>
#include <string>

namespace weir::store {

/// Raised with every change of the tables that an older program could not read.
inline constexpr std::uint32_t postgres_format = 1;

/// Makes the tables where there are none, with a new identity; then as check_schema().
[[nodiscard]] ports::JournalResult<ports::StoreIdentity> make_schema(PgConnection& connection, const std::string& schema,
                                                                     const std::string& store);
/// Uses `schema` from now on and reads who the store is. not_found where there are no tables.
[[nodiscard]] ports::JournalResult<ports::StoreIdentity> use_schema(PgConnection& connection, const std::string& schema,
                                                                    const std::string& store);

}  // namespace weir::store
