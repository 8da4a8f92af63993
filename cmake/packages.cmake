# What an installation has, in two components that become two Debian packages: `weir` (client, agent, supervisor: all static, for any
# host) and `weir-server`. ./dev dist makes them, and an archive of the first for hosts that are no Debian.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # what is packed is what was built
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(units lib/systemd/system)
set(packaging ${CMAKE_SOURCE_DIR}/packaging)

install(TARGETS weir weir-supervisor RUNTIME DESTINATION bin COMPONENT weir)
install(FILES ${packaging}/weir-agent@.service DESTINATION ${units} COMPONENT weir)
install(FILES ${packaging}/weir.tmpfiles DESTINATION lib/tmpfiles.d RENAME weir.conf COMPONENT weir)
install(FILES LICENSE DESTINATION share/doc/weir RENAME copyright COMPONENT weir)
install(FILES docs/user.md docs/user.zh-CN.md docs/provider.md docs/install.md DESTINATION share/doc/weir COMPONENT weir)
install(FILES docs/reference/cli.md DESTINATION share/doc/weir/reference COMPONENT weir)
set(CPACK_COMPONENTS_ALL weir)

if(TARGET weir-server)
  install(TARGETS weir-server RUNTIME DESTINATION bin COMPONENT weir-server)
  install(FILES ${packaging}/weir-server.service DESTINATION ${units} COMPONENT weir-server)
  install(FILES ${packaging}/weir-server.sysusers DESTINATION lib/sysusers.d RENAME weir-server.conf COMPONENT weir-server)
  install(FILES ${packaging}/server.conf DESTINATION /etc/weir COMPONENT weir-server)
  install(FILES LICENSE DESTINATION share/doc/weir-server RENAME copyright COMPONENT weir-server)
  install(FILES docs/operator.md docs/finance.md docs/install.md docs/recovery.md docs/status.md
    DESTINATION share/doc/weir-server COMPONENT weir-server)
  install(DIRECTORY docs/reference DESTINATION share/doc/weir-server COMPONENT weir-server)
  install(DIRECTORY catalogue DESTINATION share/weir COMPONENT weir-server FILES_MATCHING PATTERN *.yaml)
  install(DIRECTORY examples DESTINATION share/weir COMPONENT weir-server
    PATTERN __pycache__ EXCLUDE PATTERN CMakeLists.txt EXCLUDE PATTERN *_test.* EXCLUDE)
  list(APPEND CPACK_COMPONENTS_ALL weir-server)
endif()

# weir_scripts(PACKAGE UNITS): its maintainer scripts, and where they lie.
function(weir_scripts package units)
  foreach(script postinst prerm)
    configure_file(${packaging}/${script}.in ${CMAKE_BINARY_DIR}/packaging/${package}/${script} @ONLY
      FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  endforeach()
endfunction()
weir_scripts(weir "weir-agent@*.service")
weir_scripts(weir-server weir-server.service)
set(scripts_of_weir ${CMAKE_BINARY_DIR}/packaging/weir)
set(scripts_of_server ${CMAKE_BINARY_DIR}/packaging/weir-server)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME weir)
set(CPACK_PACKAGE_VENDOR Weir)
set(CPACK_PACKAGE_CONTACT "Weir <weir@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "one compute network of many data centres")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/dist)
set(CPACK_STRIP_FILES ON)
# With a staging folder: /etc is not below the prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
endif()

set(CPACK_DEBIAN_WEIR_PACKAGE_NAME weir)
set(CPACK_COMPONENT_WEIR_DESCRIPTION "Client of the network and agent of a site, each program with all its libraries in it.")
set(CPACK_DEBIAN_WEIR_PACKAGE_RECOMMENDS "bubblewrap (>= 0.5), ca-certificates")
set(CPACK_DEBIAN_WEIR_PACKAGE_CONTROL_EXTRA "${scripts_of_weir}/postinst;${scripts_of_weir}/prerm")

set(CPACK_DEBIAN_WEIR-SERVER_PACKAGE_NAME weir-server)
set(CPACK_COMPONENT_WEIR-SERVER_DESCRIPTION "The network's server on its embedded store, the accelerator catalogue, examples and guides.")
set(CPACK_DEBIAN_WEIR-SERVER_PACKAGE_RECOMMENDS weir)
set(CPACK_DEBIAN_WEIR-SERVER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_WEIR-SERVER_PACKAGE_CONTROL_EXTRA
  "${scripts_of_server}/postinst;${scripts_of_server}/prerm;${packaging}/conffiles")
include(CPack)
