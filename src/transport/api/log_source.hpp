// transport/api/log_source.hpp: what a task has printed, wherever it lies.
//
// It answers one question: which bytes did this rank write from this offset on? Calls may block; the API makes them on a
// thread of its own, one at a time.
#pragma once

#include "base/result.hpp"
#include "domain/names.hpp"

#include <boost/describe.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace weir::api {

BOOST_DEFINE_ENUM_CLASS(LogStream, stdout_, stderr_)

struct LogQuery {
    JobId job;
    SiteName site;                ///< Where this generation runs or ran; empty where that is not known any more.
    std::uint32_t generation = 0; ///< 0: the last one there is.
    std::uint32_t node_rank = 0;
    std::uint32_t local_rank = 0; ///< Process of that node.
    LogStream stream = LogStream::stdout_;
    std::uint64_t offset = 0;
    std::size_t max_bytes = 65'536;
};

struct LogPiece {
    std::string bytes;
    std::uint64_t offset = 0;     ///< Of the first byte; above the one asked where older bytes fell to the quota.
    bool ended = false;           ///< Nothing will follow these bytes.
};

/// Why there is no piece; the first that applies.
enum class LogFault : std::uint8_t {
    unknown = 1,      ///< No such log: the task has not printed yet, it never was, or its log is gone.
    unavailable = 2,  ///< It cannot be reached from here, now or ever.
};
struct LogError {
    LogFault fault{};
    std::string message;
};

class LogSource {
public:
    LogSource() = default;
    LogSource(const LogSource&) = delete;
    LogSource& operator=(const LogSource&) = delete;
    virtual ~LogSource() = default;
    [[nodiscard]] virtual Result<LogPiece, LogError> read(const LogQuery& query) = 0;
};

}  // namespace weir::api
