# Install rules: headers, targets and the package that find_package(heed) reads.
include(CMakePackageConfigHelpers)
set(heed_config_dir ${CMAKE_INSTALL_DATADIR}/cmake/heed)

install(DIRECTORY include/heed DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS heed heed_native EXPORT heedTargets)
install(EXPORT heedTargets NAMESPACE heed:: DESTINATION ${heed_config_dir})
if(TARGET heed_io)
  install(TARGETS heed_io EXPORT heedIoTargets)
  install(EXPORT heedIoTargets NAMESPACE heed:: DESTINATION ${heed_config_dir})
endif()
configure_package_config_file(cmake/heedConfig.cmake.in heedConfig.cmake INSTALL_DESTINATION ${heed_config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/heedConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/heedConfig.cmake ${PROJECT_BINARY_DIR}/heedConfigVersion.cmake
              cmake/heedDependencies.cmake DESTINATION ${heed_config_dir})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
