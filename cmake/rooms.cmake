# How a room becomes targets. A room's library is every .cpp of its folder; its tests are every
# *_test.cpp, beside what they test; a fuzz target is *_fuzz.cpp. A library must link alone
# (<name>_links), which proves that it names all that it uses.
#
# Labels are the tiers of ./dev test: quick, unit, sim, real, browser; `soak` runs only in ./dev soak, and
# `sanitized` marks what the asan and tsan presets run again. Three targets gather what the script builds:
add_custom_target(programs)
add_custom_target(unit_tests)
add_custom_target(fuzzers)

# Debian's own Python: only it sees Debian's numpy and yaml.
set(WEIR_PYTHON /usr/bin/python3 CACHE FILEPATH "the Python that tests and tools run on")

# weir_library(NAME DEPENDS target... [PURE])
# PURE: objects are searched for symbols of clocks, sockets, files, environment, threads and random devices.
function(weir_library name)
  cmake_parse_arguments(ROOM "PURE" "" "DEPENDS;TEST_DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz)\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")

  add_library(${name} STATIC ${sources})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${name} PUBLIC ${ROOM_DEPENDS})
  if(WEIR_PORTABLE)
    return()
  endif()

  add_executable(${name}_links ${CMAKE_SOURCE_DIR}/cmake/empty_main.cpp)
  target_link_libraries(${name}_links PRIVATE
    -Wl,--whole-archive $<TARGET_FILE:${name}> -Wl,--no-whole-archive ${ROOM_DEPENDS})
  add_dependencies(${name}_links ${name})
  add_test(NAME ${name}.links COMMAND ${name}_links)
  set_tests_properties(${name}.links PROPERTIES LABELS "quick" COST 1000)

  if(ROOM_PURE)
    add_test(NAME ${name}.pure
      COMMAND ${WEIR_PYTHON} ${CMAKE_SOURCE_DIR}/tools/tidy/banned_symbols.py $<TARGET_FILE:${name}>)
    set_tests_properties(${name}.pure PROPERTIES LABELS "quick" COST 1000)
  endif()

  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${name} ${ROOM_TEST_DEPENDS} weir_gtest)
    add_test(NAME ${name} COMMAND ${name}_test)
    set_tests_properties(${name} PROPERTIES LABELS "unit;sanitized" TIMEOUT 300)
    add_dependencies(unit_tests ${name}_test)
  endif()
endfunction()

# weir_program(NAME SOURCES file... DEPENDS target...)
function(weir_program name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ROOM_SOURCES})
  target_link_libraries(${name} PRIVATE ${ROOM_DEPENDS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  add_dependencies(programs ${name})
endfunction()

# weir_static(PROGRAM): one that people carry to hosts of which we know nothing but the kernel. It has all libraries in it, the C library
# too, and is loaded at any address. Sanitizers need a shared C library.
function(weir_static program)
  if(NOT WEIR_SANITIZE)
    set_target_properties(${program} PROPERTIES WEIR_STATIC ON)
    target_link_options(${program} PRIVATE -static-pie)
  endif()
endfunction()

# weir_fuzzer(NAME SOURCE file CORPUS dir DEPENDS target...): a libFuzzer target in the asan preset, and in
# every preset a test that runs the target over its seeds.
function(weir_fuzzer name)
  if(WEIR_PORTABLE)
    return()
  endif()
  cmake_parse_arguments(ROOM "" "SOURCE;CORPUS" "DEPENDS" ${ARGN})
  add_executable(${name} ${ROOM_SOURCE})
  target_link_libraries(${name} PRIVATE ${ROOM_DEPENDS})
  if(WEIR_SANITIZE MATCHES "address")
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/replay_main.cpp)
  endif()
  get_filename_component(corpus ${ROOM_CORPUS} ABSOLUTE)
  file(GLOB seeds CONFIGURE_DEPENDS ${corpus}/*)
  if(NOT seeds)
    message(FATAL_ERROR "fuzz target ${name} has no seeds in ${corpus}; put one there")
  endif()
  add_test(NAME ${name}.seeds COMMAND ${name} ${seeds})
  set_tests_properties(${name}.seeds PROPERTIES LABELS "unit;sanitized" TIMEOUT 120)
  add_dependencies(fuzzers ${name})
  set_property(GLOBAL APPEND PROPERTY WEIR_FUZZERS "$<TARGET_FILE:${name}> ${corpus} ")
endfunction()

# One line per fuzz target, binary and seeds, for ./dev fuzz. Called once, after the last room.
function(weir_list_fuzzers)
  get_property(fuzzers GLOBAL PROPERTY WEIR_FUZZERS)
  list(JOIN fuzzers "\n" lines)
  if(lines)
    string(APPEND lines "\n")
  endif()
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/fuzzers.txt CONTENT "${lines}")
endfunction()
