# Every library comes from Debian; each is linked by the one folder that uses it.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Boost REQUIRED COMPONENTS program_options)
find_package(OpenSSL REQUIRED)
pkg_check_modules(SQLITE3 REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(MODBUS REQUIRED IMPORTED_TARGET libmodbus)
pkg_check_modules(SERIALPORT REQUIRED IMPORTED_TARGET libserialport)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(TOMLPLUSPLUS REQUIRED IMPORTED_TARGET tomlplusplus)

# Debian's CMake configuration of Paho names OpenSSL targets that it does not look for; the plain library is enough.
find_library(PAHO_MQTT3AS paho-mqtt3as REQUIRED)
find_path(PAHO_INCLUDE_DIR MQTTAsync.h REQUIRED)
add_library(paho INTERFACE)
target_include_directories(paho SYSTEM INTERFACE ${PAHO_INCLUDE_DIR})
target_link_libraries(paho INTERFACE ${PAHO_MQTT3AS})
if(BAUDBRIDGE_SANITIZE MATCHES "address")  # a leak of version 1.3.12: see the file
  add_library(paho_destroy STATIC tests/sanitizer/paho_destroy.cpp)
  target_include_directories(paho_destroy SYSTEM PRIVATE ${PAHO_INCLUDE_DIR})
  target_link_libraries(paho INTERFACE paho_destroy -Wl,--wrap=MQTTAsync_destroy)
endif()

if(BAUDBRIDGE_TESTS)
  find_package(Catch2 REQUIRED)
endif()
