# Finds header-only dependencies and makes one imported target for each: heed::eigen, heed::xsimd, and on request
# heed::json and heed::cli11. Used by heed's own build and by the installed package, so both get the same repairs:
#  - Eigen and xsimd are found without a version, because no version request serves Eigen 3.4 and 5 both, nor several
#    majors of xsimd; the version is then read from the headers;
#  - only the include folder is taken from a package, as a SYSTEM one, so what else its target carries (Debian's xsimd:
#    "-lxtl", a library that does not exist) reaches nobody through heed.
# Order: the cache variable HEED_<NAME>_INCLUDE_DIR; a target or package of the system; with HEED_FETCH, a download.

include_guard(GLOBAL)
include(FetchContent)

# The version in `header` of `dir`: the numbers behind these macros, joined by points.
function(heed_read_version result dir header)
  set(version "")
  if(EXISTS ${dir}/${header})
    foreach(macro IN LISTS ARGN)
      file(STRINGS ${dir}/${header} line REGEX "#define[ \t]+${macro}[ \t]+[0-9]+" LIMIT_COUNT 1)
      if(line)
        string(REGEX REPLACE ".*${macro}[ \t]+([0-9]+).*" "\\1" number "${line}")
        list(APPEND version ${number})
      endif()
    endforeach()
    list(JOIN version "." version)
  endif()
  set(${result} "${version}" PARENT_SCOPE)
endfunction()

# Sets <result> to the folder of a package's headers, or to something false.
function(heed_package_folder result package target header)
  if(NOT TARGET ${target})
    find_package(${package} CONFIG QUIET NO_CMAKE_PACKAGE_REGISTRY)
  endif()
  set(hints "")
  if(TARGET ${target})
    get_target_property(links ${target} INTERFACE_LINK_LIBRARIES)
    if("xtl" IN_LIST links AND NOT TARGET xtl) # Debian's xsimd: repaired also for those who link it themselves
      list(REMOVE_ITEM links xtl)
      set_property(TARGET ${target} PROPERTY INTERFACE_LINK_LIBRARIES "${links}")
    endif()
    get_target_property(hints ${target} INTERFACE_INCLUDE_DIRECTORIES)
    string(REGEX REPLACE "\\$<BUILD_INTERFACE:([^>]*)>" "\\1" hints "${hints}")
    string(GENEX_STRIP "${hints}" hints)
  endif()
  find_path(found ${header} HINTS ${hints} PATH_SUFFIXES eigen3 NO_CACHE)
  set(${result} "${found}" PARENT_SCOPE)
endfunction()

# heed_find_headers(<name> PACKAGE p TARGET t HEADER h [VERSION_HEADERS ...] [VERSION_MACROS ...] [MINIMUM v]
#                   REPOSITORY url TAG tag INCLUDE folder): makes heed::<name> or leaves it undefined and says why.
function(heed_find_headers name)
  cmake_parse_arguments(arg "" "PACKAGE;TARGET;HEADER;MINIMUM;REPOSITORY;TAG;INCLUDE" "VERSION_HEADERS;VERSION_MACROS"
                        ${ARGN})
  string(TOUPPER ${name} upper)
  if(TARGET heed::${name})
    return()
  endif()
  set(folder "${HEED_${upper}_INCLUDE_DIR}")
  if(NOT folder)
    heed_package_folder(folder ${arg_PACKAGE} ${arg_TARGET} ${arg_HEADER})
  endif()
  set(reason "was not found")
  foreach(attempt system fetched)
    if(attempt STREQUAL "fetched")
      if(folder OR NOT HEED_FETCH OR NOT arg_REPOSITORY)
        break()
      endif()
      message(STATUS "heed: fetching ${name} ${arg_TAG}: the system's ${reason}")
      FetchContent_Declare(heed_${name} GIT_REPOSITORY ${arg_REPOSITORY} GIT_TAG ${arg_TAG} GIT_SHALLOW ON
                           SOURCE_SUBDIR no-cmake-here) # headers suffice: its own CMake is not run
      FetchContent_MakeAvailable(heed_${name})
      set(folder "${heed_${name}_SOURCE_DIR}/${arg_INCLUDE}")
    endif()
    if(folder AND NOT EXISTS "${folder}/${arg_HEADER}")
      set(reason "has no ${arg_HEADER} in ${folder}")
      set(folder "")
    endif()
    set(version "")
    foreach(header IN LISTS arg_VERSION_HEADERS)
      if(folder AND NOT version)
        heed_read_version(version ${folder} ${header} ${arg_VERSION_MACROS})
      endif()
    endforeach()
    if(folder AND arg_MINIMUM AND "${version}" VERSION_LESS "${arg_MINIMUM}")
      set(reason "in ${folder} has version ${version}, heed needs ${arg_MINIMUM}")
      set(folder "")
    endif()
  endforeach()
  if(folder)
    add_library(heed::${name} INTERFACE IMPORTED GLOBAL)
    set_target_properties(heed::${name} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${folder}"
                                                   INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${folder}")
    message(STATUS "heed: ${name} ${version} in ${folder}")
  endif()
  set(heed_${name}_problem "${name} ${reason}" PARENT_SCOPE)
endfunction()

# Eigen 3.4 counts world.major.minor; Eigen 5 keeps the world at 3, so 3.4 is the minimum in both countings.
heed_find_headers(eigen PACKAGE Eigen3 TARGET Eigen3::Eigen HEADER unsupported/Eigen/CXX11/Tensor MINIMUM 3.4
                  VERSION_HEADERS Eigen/Version Eigen/src/Core/util/Macros.h
                  VERSION_MACROS EIGEN_WORLD_VERSION EIGEN_MAJOR_VERSION EIGEN_MINOR_VERSION
                  REPOSITORY https://gitlab.com/libeigen/eigen.git TAG 3.4.0 INCLUDE .)
heed_find_headers(xsimd PACKAGE xsimd TARGET xsimd HEADER xsimd/xsimd.hpp MINIMUM 8.1
                  VERSION_HEADERS xsimd/config/xsimd_config.hpp
                  VERSION_MACROS XSIMD_VERSION_MAJOR XSIMD_VERSION_MINOR XSIMD_VERSION_PATCH
                  REPOSITORY https://github.com/xtensor-stack/xsimd.git TAG 13.2.0 INCLUDE include)

# Called by those who need heed::io, and heed::cli11 for the translator.
macro(heed_find_json)
  heed_find_headers(json PACKAGE nlohmann_json TARGET nlohmann_json::nlohmann_json HEADER nlohmann/json.hpp
                    REPOSITORY https://github.com/nlohmann/json.git TAG v3.11.3 INCLUDE include)
endmacro()
macro(heed_find_cli11)
  heed_find_headers(cli11 PACKAGE CLI11 TARGET CLI11::CLI11 HEADER CLI/CLI.hpp
                    REPOSITORY https://github.com/CLIUtils/CLI11.git TAG v2.4.2 INCLUDE include)
endmacro()
