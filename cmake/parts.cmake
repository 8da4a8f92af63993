# The libraries we stand on, all from Debian 12 (packages.txt).
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(OpenSSL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(GTest REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(libpq REQUIRED IMPORTED_TARGET libpq)

# Header-only Boost, with the parts that need no library of their own.
add_library(weir_boost INTERFACE)
target_link_libraries(weir_boost INTERFACE Boost::headers)

# What allocates memory in a server: its threads make and free small values all the time, and under load this one costs a tenth
# less of all its processor time than the C library's. Sanitizers bring their own.
add_library(weir_allocator INTERFACE)
if(NOT WEIR_SANITIZE)
  pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc)
  target_link_libraries(weir_allocator INTERFACE PkgConfig::jemalloc)
endif()

# GoogleTest, GoogleMock's matchers and RapidCheck for properties.
add_library(weir_gtest INTERFACE)
target_link_libraries(weir_gtest INTERFACE GTest::gmock GTest::gtest_main rapidcheck)
