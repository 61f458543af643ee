# Warnings, hardening and sanitizers for every target of ours.
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wno-psabi)
if(BAUDBRIDGE_WERROR)
  # g++ 12 raises maybe-uninitialized falsely in <stop_token> when optimising.
  add_compile_options(-Werror)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-error=maybe-uninitialized)
  endif()
endif()

# Asserts stay on in release: what only a bug can do should stop at the bug.
foreach(flags CMAKE_CXX_FLAGS_RELEASE CMAKE_CXX_FLAGS_RELWITHDEBINFO CMAKE_CXX_FLAGS_MINSIZEREL)
  string(REPLACE "-DNDEBUG" "" ${flags} "${${flags}}")
endforeach()

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(BAUDBRIDGE_SANITIZE)
  add_compile_options(-fsanitize=${BAUDBRIDGE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BAUDBRIDGE_SANITIZE})
else()
  add_compile_options(-fstack-protector-strong)
  add_compile_definitions($<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
  add_link_options(-pie -Wl,-z,relro,-z,now -Wl,--as-needed)
endif()
if(CMAKE_SIZEOF_VOID_P EQUAL 4)
  add_compile_definitions(_FILE_OFFSET_BITS=64)
endif()
