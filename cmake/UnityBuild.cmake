# BAUDBRIDGE_UNITY: the sources of a target are compiled as one, which takes a third of the time: the builds of .ci/run.
# A name in an anonymous namespace must then differ from those of the target's other files. Where it does not, rename it,
# or list the file here: it is compiled by itself.
function(keep_out_of_unity_build target)
  set_source_files_properties(${ARGN} TARGET_DIRECTORY ${target} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

set(CMAKE_UNITY_BUILD ${BAUDBRIDGE_UNITY})
set(CMAKE_UNITY_BUILD_BATCH_SIZE 0)

function(apply_unity_exceptions)
  set(source ${CMAKE_SOURCE_DIR})
  keep_out_of_unity_build(offline_queue
    ${source}/offline_queue/queue_file.cpp ${source}/offline_queue/tail_log.cpp)
  keep_out_of_unity_build(bus_runner ${source}/adapters/runtime/bus_meter.cpp ${source}/adapters/runtime/read_once.cpp)
  file(GLOB server ${source}/adapters/modbus/server/*.cpp)  # the other side of the protocol: the same words
  keep_out_of_unity_build(adapter_modbus
    ${server} ${source}/adapters/modbus/forwarder.cpp ${source}/adapters/modbus/late_responses.cpp ${source}/adapters/modbus/unit_link.cpp)
  keep_out_of_unity_build(serial_port ${source}/adapters/serial/termios_line.cpp)  # its termios is the kernel's
  keep_out_of_unity_build(adapter_serial
    ${source}/adapters/serial/line_framer.cpp
    ${source}/adapters/serial/pattern.cpp)  # PCRE2 types in its anonymous namespace: a warning when it is included
  file(GLOB commands ${source}/src/cli/*.cpp)  # each has its run() and fail()
  keep_out_of_unity_build(adapters ${source}/adapters/profile.cpp)
  keep_out_of_unity_build(program ${commands} ${source}/src/config/device_config.cpp
    ${source}/src/control/queue_access.cpp ${source}/src/cli/status_text.cpp)
  if(BAUDBRIDGE_TESTS)
    keep_out_of_unity_build(test_support ${source}/tests/support/process.cpp ${source}/tests/support/pty.cpp)
  endif()
endfunction()
