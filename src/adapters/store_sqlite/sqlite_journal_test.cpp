// The SQLite store passes the port's suite.
#include "adapters/store_sqlite/sqlite_journal.hpp"

#include "base/test_folder.hpp"
#include "ports/journal_conformance.hpp"

namespace weir::ports {
namespace {

struct SqliteWorld {
    JournalResult<std::unique_ptr<Journal>> open() { return store::open_journal({.path = path}); }
    JournalResult<std::unique_ptr<Journal>> open_without_lock() {
        // A checkpoint at opening needs the log to itself, so the other server's readers must be between two reads.
        return store::open_journal({.path = path, .lock_file = false});
    }
    JournalResult<std::unique_ptr<JournalReader>> open_backup(const std::string& backup) { return store::open_reader(backup); }
    std::string fresh_path() { return directory.file("backup.db"); }

    TestFolder directory;
    std::string path = directory.file("weir.db");
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, JournalConformance, SqliteWorld);

}  // namespace
}  // namespace weir::ports
