# cmake -DAWK=awk -DPAGE=page.md -DSCRIPT=extract.awk -DFOLDER=dir -DCOMPILE="c++;..." -P compile.cmake
# Compiles every ```cpp block of a page.
cmake_minimum_required(VERSION 3.22)
file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER})
execute_process(COMMAND ${AWK} -v folder=${FOLDER} -f ${SCRIPT} ${PAGE} COMMAND_ERROR_IS_FATAL ANY)
file(GLOB files ${FOLDER}/*.cpp)
if(NOT files)
  message(STATUS "${PAGE}: no code")
  return()
endif()
execute_process(COMMAND ${COMPILE} ${files} RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message("${PAGE}: its code does not compile (${result})") # FATAL_ERROR would wrap the line where the path's length says
  message(FATAL_ERROR "see above")
endif()
list(LENGTH files count)
message(STATUS "${PAGE}: compiled in ${count} files")
