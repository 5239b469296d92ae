# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where, as Debian has it; `scripts/check install` compares the tree.
include(GNUInstallDirs)

set(made ${CMAKE_BINARY_DIR}/install)

# ballast_made(FILE FORM PROGRAM DESTINATION): a file that ballast-describe writes, installed.
function(ballast_made file form program destination)
  add_custom_command(
    OUTPUT ${made}/${file}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${made}
    COMMAND ballast-describe ${form} ${program} > ${made}/${file}
    DEPENDS ballast-describe
    VERBATIM)
  set_property(GLOBAL APPEND PROPERTY BALLAST_MADE ${made}/${file})
  install(FILES ${made}/${file} DESTINATION ${destination})
endfunction()

ballast_made(ballast.1 man ballast ${CMAKE_INSTALL_MANDIR}/man1)
ballast_made(ballastd.8 man ballastd ${CMAKE_INSTALL_MANDIR}/man8)
foreach(program ballast ballastd)
  ballast_made(${program} bash ${program} ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  ballast_made(_${program} zsh ${program} ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
  ballast_made(${program}.fish fish ${program} ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endforeach()
get_property(files GLOBAL PROPERTY BALLAST_MADE)
add_custom_target(ballast_made_files ALL DEPENDS ${files})

install(TARGETS ballast RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS ballastd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})

# systemd looks for these below the prefix that it was built for, whatever the library directory is.
configure_file(daemon/ballastd.service ${made}/ballastd.service @ONLY)
install(FILES ${made}/ballastd.service DESTINATION lib/systemd/system)
install(FILES daemon/ballast.sysusers DESTINATION lib/sysusers.d RENAME ballast.conf)
install(FILES daemon/ballast.tmpfiles DESTINATION lib/tmpfiles.d RENAME ballast.conf)

# A policy that is there is the operator's: an upgrade leaves it as it is.
set(policy_directory ${CMAKE_INSTALL_FULL_SYSCONFDIR}/ballast)
install(CODE "
  if(EXISTS \"\$ENV{DESTDIR}${policy_directory}/policy.toml\")
    message(STATUS \"Kept: \$ENV{DESTDIR}${policy_directory}/policy.toml\")
  else()
    file(INSTALL DESTINATION \"${policy_directory}\" TYPE FILE
         FILES \"${CMAKE_SOURCE_DIR}/daemon/config/policy.toml\")
  endif()")
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md" PATTERN "*.json")
