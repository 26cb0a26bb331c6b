# How heed's own tests, benchmarks and examples are compiled; users of the headers get none of this.
if(heed_top_level)
  get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
  if(NOT CMAKE_BUILD_TYPE AND NOT multi_config)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
  endif()
  find_program(HEED_CCACHE ccache)
  if(HEED_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # what ccache asks for before it caches a file that has a precompiled header
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${HEED_CCACHE})
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  endif()
  # One compiler per CPU unless CMAKE_BUILD_PARALLEL_LEVEL says otherwise: Ninja's own default starts two more.
  if(NOT DEFINED ENV{CMAKE_BUILD_PARALLEL_LEVEL})
    cmake_host_system_information(RESULT cpus QUERY NUMBER_OF_LOGICAL_CORES)
    set_property(GLOBAL APPEND PROPERTY JOB_POOLS heed_compile=${cpus})
    set(CMAKE_JOB_POOL_COMPILE heed_compile)
  endif()
endif()

add_library(heed_program INTERFACE)
target_link_libraries(heed_program INTERFACE heed::io $<$<BOOL:${HEED_NATIVE}>:heed::native>)
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(heed_program INTERFACE
    -Wall -Wextra -Wconversion -Wshadow $<$<BOOL:${HEED_WERROR}>:-Werror>
    # g++ 12 finds the first in its own AVX-512 header, the second in its own std::string (GCC bug 105651)
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-restrict>
    $<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wno-sign-conversion>) # clang's -Wconversion has it, g++'s has not
endif()
if(HEED_SANITIZE)
  target_compile_options(heed_program INTERFACE -fsanitize=${HEED_SANITIZE} -fno-omit-frame-pointer
                                                -fno-sanitize-recover=all)
  target_link_options(heed_program INTERFACE -fsanitize=${HEED_SANITIZE})
endif()
if(HEED_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(heed_program INTERFACE -Wno-tsan) # the fences of Eigen's thread pool, which it does not follow
endif()

# The kernels, compiled once, for files that begin with this header: it is among the tests' precompiled ones, which an
# empty prologue keeps from being system headers, in which no warning would be given.
set(heed_instances ${CMAKE_CURRENT_LIST_DIR}/instances)
add_library(heed_instances STATIC EXCLUDE_FROM_ALL ${heed_instances}/float.cpp ${heed_instances}/double.cpp)
target_link_libraries(heed_instances PUBLIC heed_program)
set(heed_instances_header ${heed_instances}/instances.hpp)
set(CMAKE_PCH_PROLOGUE "")
