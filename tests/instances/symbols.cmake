# cmake -DNM=nm -DOBJECTS=a;b -P symbols.cmake: only instances.cpp defines kernels, checks and the thread pool.
cmake_minimum_required(VERSION 3.22)
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} -C --defined-only ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  foreach(name flash_detail::multiply gemm_detail::multiply_tile detail::attend_views detail::attention_output
               detail::attend_backward_views
               "heed::.*default_executor\\(\\)" Eigen::ThreadPoolTempl)
    string(REGEX MATCH "${name}" found "${symbols}")
    if(object MATCHES "/instances\\.cpp")
      if(NOT found)
        message(SEND_ERROR "${object} does not define ${name}")
      endif()
    elseif(found)
      message(SEND_ERROR "${object} defines ${found}")
    endif()
  endforeach()
endforeach()
