# What ctest runs: one entry for each source file with test cases, chosen by the tag that Catch2 makes of the file's name.
# Titles never go through a command line, where a comma, bracket or semicolon would choose other tests, or none.
# Each entry writes Catch2's own report; scripts/count_tests counts the test cases in the reports.

set(TEST_TIMEOUT_S 240)
set(GATE_TIMEOUT_S 5)  # one of them hangs

set(SLOTS_A_CORE 3)  # scripts/test runs that many entries for each core; one that computes takes them all

# add_test_entries(PROGRAM LEVEL AREA SOURCE...)
function(add_test_entries test_program level area)
  set(timeout_s ${TEST_TIMEOUT_S})
  if(level STREQUAL "gate")
    set(timeout_s ${GATE_TIMEOUT_S})
  endif()
  set(labels ${level})
  if(test_program IN_LIST THREADED)
    list(APPEND labels threads)
  endif()
  set(slots 1)
  if(test_program IN_LIST COMPUTING)
    set(slots ${SLOTS_A_CORE})
  endif()
  set(cost 1)  # what takes longest begins first
  if(level STREQUAL "system")
    set(cost 3)
  elseif(level STREQUAL "seam")
    set(cost 2)
  endif()
  set(entries)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/reports)
  foreach(source ${ARGN})
    get_filename_component(file ${source} NAME_WE)
    file(STRINGS ${source} has_tests REGEX "^(TEST_CASE|SCENARIO|TEMPLATE_TEST_CASE)" LIMIT_COUNT 1)
    if(has_tests)
      set(entry ${level}/${area}/${file})
      add_test(NAME ${entry}
        COMMAND ${test_program} --filenames-as-tags "[#${file}]~[.]" --order decl --rng-seed 1
          --reporter junit --out ${CMAKE_BINARY_DIR}/reports/${level}-${area}-${file}.xml)
      set_tests_properties(${entry} PROPERTIES LABELS "${labels}" TIMEOUT ${timeout_s} PROCESSORS ${slots}
        COST ${cost})
      if(entry IN_LIST LONGEST)
        set_tests_properties(${entry} PROPERTIES COST 4)
      endif()
      list(APPEND entries ${entry})
    endif()
  endforeach()
  if(NOT entries)
    message(FATAL_ERROR "${test_program} has no test case at the beginning of a line")
  endif()
endfunction()
