# room() and program(): the only ways to add a library or a binary; both check the layer table.

function(check_room_uses name list)
  if(NOT DEFINED MAY_USE_${list})
    message(FATAL_ERROR "'${name}' has no line in the architecture table")
  endif()
  foreach(dep IN LISTS ARGN)
    if(NOT dep IN_LIST MAY_USE_${list})
      message(FATAL_ERROR "layering: '${name}' may not use '${dep}' (allowed: ${MAY_USE_${list}})")
    endif()
  endforeach()
endfunction()

add_custom_target(programs) # all binaries, without tests

# room(<name> SOURCES ... [USES rooms] [EXPOSES rooms] [LIBS system-libs])
# USES: included by our .c files. EXPOSES: included by our public headers, so users see them too.
function(room name)
  cmake_parse_arguments(R "" "" "SOURCES;USES;EXPOSES;LIBS" ${ARGN})
  check_room_uses(${name} ${name} ${R_USES} ${R_EXPOSES})
  add_library(${name} STATIC ${R_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include
    PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${R_EXPOSES} PRIVATE ${R_USES} ${R_LIBS} Threads::Threads)
  set_property(GLOBAL APPEND PROPERTY ROOMS ${name})
endfunction()

# program(<binary> IN agent|aggregator|cli SOURCES ... USES rooms [LIBS system-libs])
# IN names the line of the architecture table that limits USES.
function(program name)
  cmake_parse_arguments(P "" "IN" "SOURCES;USES;LIBS" ${ARGN})
  check_room_uses(${name} ${P_IN} ${P_USES})
  add_executable(${name} ${P_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${P_USES} ${P_LIBS} Threads::Threads)
  target_compile_definitions(${name} PRIVATE FLEETPROBE_VERSION="${BUILD_VERSION}")
  add_dependencies(programs ${name})
  if(P_IN STREQUAL "cli") # the Debian package it goes into (packaging.cmake)
    set(P_IN tools)
  endif()
  install(TARGETS ${name} RUNTIME DESTINATION bin COMPONENT ${P_IN})
endfunction()

# Late check: nobody went around room() with target_link_libraries() on another room.
function(check_layers)
  get_property(rooms GLOBAL PROPERTY ROOMS)
  foreach(r IN LISTS rooms)
    get_target_property(libs ${r} LINK_LIBRARIES)
    foreach(l IN LISTS libs)
      if(l IN_LIST rooms AND NOT l IN_LIST MAY_USE_${r})
        message(FATAL_ERROR "layering: '${r}' links '${l}' behind the table's back")
      endif()
    endforeach()
  endforeach()
endfunction()
