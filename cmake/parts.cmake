# The libraries we stand on, all from Debian 12 (packages.txt).
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PkgConfig REQUIRED)

# weir_part(TARGET LIBRARY HEADER): a library of which Debian ships both forms. A program takes the shared one, which Debian keeps safe;
# one with the property WEIR_STATIC takes the archive and needs nothing of the host that it runs on.
function(weir_part target library header)
  find_path(headers_of_${library} ${header} REQUIRED)
  find_library(archive_of_${library} lib${library}.a REQUIRED)
  if(WEIR_PORTABLE)
    set(shared_of_${library} ${archive_of_${library}})
  else()
    find_library(shared_of_${library} lib${library}.so REQUIRED)
  endif()
  mark_as_advanced(headers_of_${library} archive_of_${library} shared_of_${library})
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} INTERFACE ${headers_of_${library}})
  target_link_libraries(${target} INTERFACE
    $<IF:$<BOOL:$<TARGET_PROPERTY:WEIR_STATIC>>,${archive_of_${library}},${shared_of_${library}}>)
endfunction()

weir_part(OpenSSL::Crypto crypto openssl/evp.h)
weir_part(OpenSSL::SSL ssl openssl/ssl.h)
target_link_libraries(OpenSSL::SSL INTERFACE OpenSSL::Crypto)
weir_part(PkgConfig::sodium sodium sodium.h)
weir_part(PkgConfig::zstd zstd zstd.h)
weir_part(yaml-cpp yaml-cpp yaml-cpp/yaml.h)

# Of these Debian ships no archive: we compile our own, under the names and definitions of its packages.
add_library(weir_fmt STATIC ${CMAKE_SOURCE_DIR}/cmake/fmt_archive.cpp)
target_compile_definitions(weir_fmt PUBLIC FMT_SHARED)
add_library(fmt::fmt ALIAS weir_fmt)
add_library(weir_spdlog STATIC ${CMAKE_SOURCE_DIR}/cmake/spdlog_archive.cpp)
target_compile_definitions(weir_spdlog PUBLIC SPDLOG_SHARED_LIB SPDLOG_COMPILED_LIB SPDLOG_FMT_EXTERNAL)
target_link_libraries(weir_spdlog PUBLIC fmt::fmt Threads::Threads)
add_library(spdlog::spdlog ALIAS weir_spdlog)

# Header-only Boost, with the parts that need no library of their own.
add_library(weir_boost INTERFACE)
target_link_libraries(weir_boost INTERFACE Boost::headers)

if(NOT WEIR_PORTABLE)  # what the server and the tests stand on beside
  find_package(SQLite3 REQUIRED)
  find_package(GTest REQUIRED)
  pkg_check_modules(libpq REQUIRED IMPORTED_TARGET libpq)

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
endif()
