# cmake -DWAY=installed|subproject -DHEED=source -DHEED_BUILD=build -DFOLDER=dir -DVERSION=v -DCONFIGURE=args -P ...
cmake_minimum_required(VERSION 3.22)
file(REMOVE_RECURSE ${FOLDER})
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(configure ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/consumer -B ${FOLDER}/build ${CONFIGURE}
              -DWAY=${WAY} -DVERSION=${VERSION})
if(WAY STREQUAL "installed")
  run(${CMAKE_COMMAND} --install ${HEED_BUILD} --prefix ${FOLDER}/prefix)
  run(${configure} -DCMAKE_PREFIX_PATH=${FOLDER}/prefix)
  # the next minor version may break users, so it must be refused
  execute_process(COMMAND ${configure} -B ${FOLDER}/newer -DCMAKE_PREFIX_PATH=${FOLDER}/prefix -DVERSION=0.999
                  RESULT_VARIABLE result OUTPUT_QUIET ERROR_VARIABLE errors)
  if(result EQUAL 0 OR NOT errors MATCHES "0\\.999")
    message(FATAL_ERROR "find_package(heed 0.999) was not refused:\n${errors}")
  endif()
else()
  run(${configure} -DHEED_SOURCE=${HEED})
endif()
run(${CMAKE_COMMAND} --build ${FOLDER}/build)
run(${FOLDER}/build/consumer)
