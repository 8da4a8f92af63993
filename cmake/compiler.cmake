# One compiler, one standard, one set of warnings. g++ 12 destroys temporaries of a co_await
# expression twice, so it is refused here and not in a bug report.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR
    "Weir needs clang 19 or newer, this is ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}; "
    "configure with a preset (cmake --preset release) or run ./dev build")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

set(WEIR_SANITIZE "" CACHE STRING "sanitizers, e.g. address,undefined or thread")

find_program(WEIR_CCACHE ccache)
if(WEIR_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${WEIR_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${WEIR_CCACHE})
endif()

add_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Werror
  -ffp-contract=off            # the same forecast on every machine
  -fno-fast-math
  -fno-omit-frame-pointer
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
add_compile_definitions(_GLIBCXX_ASSERTIONS)
add_link_options(-fuse-ld=lld)

if(WEIR_SANITIZE)
  add_compile_options(-fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${WEIR_SANITIZE})
endif()
if(WEIR_SANITIZE MATCHES "address")
  add_compile_options(-fsanitize=fuzzer-no-link)   # coverage in every room, so that fuzz targets see where they are
endif()
