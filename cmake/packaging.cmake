# Debian packages through CPack: components agent, aggregator, tools, dev. deploy/packaging/build.sh makes them.
set(packaging ${CMAKE_SOURCE_DIR}/deploy/packaging)
set(units ${CMAKE_SOURCE_DIR}/deploy/systemd)

# daemon_package(<component> <unit> <key file>): the unit, and maintainer scripts from one template
function(daemon_package component UNIT KEY)
  string(TOUPPER ${component} C)
  set(dir ${CMAKE_BINARY_DIR}/packaging/${component})
  foreach(script IN ITEMS postinst prerm postrm)
    configure_file(${packaging}/${script}.in ${dir}/${script} @ONLY
      FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  endforeach()
  set(conffiles "")
  foreach(f IN LISTS ARGN)
    install(FILES ${units}/${f} DESTINATION /etc/fleetprobe COMPONENT ${component})
    string(APPEND conffiles "/etc/fleetprobe/${f}\n")
  endforeach()
  file(WRITE ${dir}/conffiles "${conffiles}")
  install(FILES ${units}/${UNIT} DESTINATION /lib/systemd/system COMPONENT ${component})
  set(CPACK_DEBIAN_${C}_PACKAGE_CONTROL_EXTRA
    "${dir}/postinst;${dir}/prerm;${dir}/postrm;${dir}/conffiles" PARENT_SCOPE)
  set(CPACK_DEBIAN_${C}_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.54)" PARENT_SCOPE)
endfunction()
daemon_package(agent goprobe.service agent.key goprobe.yaml)
daemon_package(aggregator global-query.service aggregator.key global-query.yaml endpoints.yaml)

# Every package has its copyright and change log, the latter compressed without name and time.
find_program(GZIP gzip REQUIRED)
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/packaging/changelog.gz
  COMMAND ${GZIP} -9n < ${CMAKE_SOURCE_DIR}/CHANGELOG.md > ${CMAKE_BINARY_DIR}/packaging/changelog.gz
  DEPENDS ${CMAKE_SOURCE_DIR}/CHANGELOG.md VERBATIM)
add_custom_target(changelog ALL DEPENDS ${CMAKE_BINARY_DIR}/packaging/changelog.gz)
foreach(c IN ITEMS agent aggregator tools dev)
  set(pkg fleetprobe-${c})
  if(c STREQUAL dev)
    set(pkg libgodb-dev)
  endif()
  install(FILES ${packaging}/copyright ${CMAKE_BINARY_DIR}/packaging/changelog.gz
    DESTINATION share/doc/${pkg} COMPONENT ${c})
endforeach()
install(PROGRAMS deploy/enrol.sh DESTINATION share/fleetprobe COMPONENT tools)
install(FILES README.md docs/queries.md docs/operations.md docs/migration.md docs/security.md
  DESTINATION share/doc/fleetprobe-tools COMPONENT tools)
install(CODE "file(GLOB libs \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/*/libgodb.a\" \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/libgodb.a\")
  if(CMAKE_INSTALL_DO_STRIP AND libs)
    execute_process(COMMAND ${CMAKE_STRIP} --strip-debug -D \${libs} COMMAND_ERROR_IS_FATAL ANY)
  endif()" COMPONENT dev)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME fleetprobe)
set(CPACK_PACKAGE_CONTACT "Fleetprobe developers <fleetprobe@localhost>")
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENTS_ALL agent aggregator tools dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_AGENT_PACKAGE_NAME fleetprobe-agent)
set(CPACK_DEBIAN_AGGREGATOR_PACKAGE_NAME fleetprobe-aggregator)
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME fleetprobe-tools)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libgodb-dev)
set(CPACK_DEBIAN_AGENT_PACKAGE_RECOMMENDS fleetprobe-tools)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
  "libc6-dev, libzstd-dev, liblz4-dev, zlib1g-dev, libpcre2-dev, libjansson-dev, libc-ares-dev")
set(CPACK_COMPONENT_AGENT_DESCRIPTION "flow sensor of a fleet\n goprobe captures packets, keeps five-minute flows in an embedded columnar\n database and answers signed queries about them.")
set(CPACK_COMPONENT_AGGREGATOR_DESCRIPTION "one flow query to many sensors\n global-query passes signed queries on to the sensors of a fleet, merges what\n they answer and streams the result. It stores nothing.")
set(CPACK_COMPONENT_TOOLS_DESCRIPTION "ask and manage a fleet of flow sensors\n goquery asks databases, sensors and aggregators; gpctl looks after a running\n sensor, gpdb after databases and gpkey after keys and certificates.")
set(CPACK_COMPONENT_DEV_DESCRIPTION "embeddable flow database, for development\n Static library and headers of goDB: write, query and print five-minute flows\n from a C program.")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_STRIP_FILES ON)
# DESTDIR, as files go below /etc and /lib, too
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
include(CPack)
