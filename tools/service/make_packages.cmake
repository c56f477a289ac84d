# Makes the packages of a service: a ZIP, an MSI and the three files of a winget manifest. winsvc_add_service runs it;
# tools/cmake/winsvc-packages.cmake has the variables.
#
#   cmake -DPROGRAM=greeter.exe -DWXS=package.wxs -DOUTPUT=packages -DNAME=greeter ... -P make_packages.cmake
cmake_minimum_required(VERSION 3.18)
include("${SIGN_FILE}")                                   # sets SIGN

# Runs a command; stops with its output if it fails.
function(run)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY "${work}" RESULT_VARIABLE code OUTPUT_VARIABLE output
    ERROR_VARIABLE output)
  if(NOT code EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "make the packages of '${NAME}': '${command}' failed (${code}):\n${output}")
  endif()
endfunction()

# Signs a file in place, if there is a command for it. If that fails, deletes the unsigned file. The message does not
# have the arguments, because one of them can be a password.
function(sign path)
  if(SIGN)
    execute_process(COMMAND ${SIGN} "${path}" WORKING_DIRECTORY "${work}" RESULT_VARIABLE code OUTPUT_VARIABLE output
      ERROR_VARIABLE output)
    if(NOT code EQUAL 0)
      file(REMOVE "${path}")
      list(GET SIGN 0 program)
      message(FATAL_ERROR "sign ${path}: '${program}' failed (${code}):\n${output}")
    endif()
    message(STATUS "signed ${path}")
  endif()
endfunction()

# Replaces a regular expression in a table of the MSI.
function(replace_in_table table from to)
  execute_process(COMMAND "${tools}/msiinfo" export "${OUTPUT}/${file}.msi" ${table} OUTPUT_VARIABLE text)
  string(REGEX REPLACE "${from}" "${to}" changed "${text}")
  if(changed STREQUAL text)
    message(FATAL_ERROR "make the MSI of '${NAME}': the table ${table} has another form:\n${text}")
  endif()
  file(WRITE "${work}/${table}.idt" "${changed}")
  run("${tools}/msibuild" "${OUTPUT}/${file}.msi" -i ${table}.idt)
endfunction()

# Sets RESULT to a YAML string.
function(yaml result text)
  string(REPLACE "'" "''" text "${text}")
  set(${result} "'${text}'" PARENT_SCOPE)
endfunction()

set(file "${NAME}-${VERSION}-${ARCHITECTURE}")
set(work "${OUTPUT}/work-${NAME}")
file(REMOVE_RECURSE "${work}")
file(MAKE_DIRECTORY "${work}/${NAME}")

# --- ZIP --------------------------------------------------------------------------------------------------------------

get_filename_component(program_name "${PROGRAM}" NAME)
set(names "${program_name}")
file(COPY "${PROGRAM}" DESTINATION "${work}")
sign("${work}/${program_name}")
foreach(extra IN LISTS FILES)
  get_filename_component(name "${extra}" NAME)
  list(APPEND names "${name}")
  file(COPY "${extra}" DESTINATION "${work}")
endforeach()
file(REMOVE "${OUTPUT}/${file}.zip" "${OUTPUT}/${file}.msi")
set(manifests "${OUTPUT}/winget-${NAME}-${VERSION}")
file(REMOVE_RECURSE "${manifests}")                       # it has the checksum of the previous MSI
run("${CMAKE_COMMAND}" -E tar cf "${OUTPUT}/${file}.zip" --format=zip -- ${names})
message(STATUS "made ${OUTPUT}/${file}.zip")

# --- MSI --------------------------------------------------------------------------------------------------------------

if(NOT WIXL AND NOT WIX)
  message(FATAL_ERROR "make the MSI of '${NAME}': neither wixl nor wix is installed; on Debian: apt-get install wixl; "
    "on Windows: dotnet tool install --global wix --version 5.0.2; then configure again")
endif()
if(NOT MSI_VERSION MATCHES "^(1?[0-9]?[0-9]|2[0-4][0-9]|25[0-5])\\.(1?[0-9]?[0-9]|2[0-4][0-9]|25[0-5])\\.[0-9]+$")
  message(FATAL_ERROR "make the MSI of '${NAME}': Windows Installer does not accept the version ${MSI_VERSION}; "
    "its first two numbers are at most 255. The ZIP is complete. Pass another VERSION to winsvc_add_service")
endif()
# Relative names, because wixl does not accept an absolute path of an icon.
file(READ "${WXS}" text)
string(REPLACE "@WINSVC_PROGRAM@" "${program_name}" text "${text}")
if(ICON)
  file(COPY "${ICON}" DESTINATION "${work}")
endif()
file(WRITE "${work}/package.wxs" "${text}")
if(WIX)                                                   # not run here
  run("${WIX}" convert package.wxs)
  run("${WIX}" build -arch ${ARCHITECTURE} -o "${OUTPUT}/${file}.msi" package.wxs)
else()
  # wixl 0.101 knows the attribute Directory of a custom action not at all, and ignores those of the table below.
  string(REGEX REPLACE "Directory=\"[A-Za-z0-9]+\" Execute=" "FileKey=\"Program\" Execute=" text "${text}")
  file(WRITE "${work}/package.wxs" "${text}")
  run("${WIXL}" -a ${ARCHITECTURE} -o "${OUTPUT}/${file}.msi" package.wxs)
  # Types of custom actions: 18 a program of the File table, 34 a command line in a folder; 64 ignores the exit code;
  # 1024 deferred, 256 rollback, 512 commit, 2048 with the rights of the installer.
  set(statements
    "UPDATE `CustomAction` SET `Type`=3426, `Source`='INSTALLDIR' WHERE `Action`='RestoreOld'"
    "UPDATE `CustomAction` SET `Type`=3106, `Source`='INSTALLDIR' WHERE `Action`='CopyOld'"
    "UPDATE `CustomAction` SET `Type`=3106, `Source`='INSTALLDIR' WHERE `Action`='StopOld'"
    "UPDATE `CustomAction` SET `Type`=3106, `Source`='INSTALLDIR' WHERE `Action`='RemoveService'"
    "UPDATE `CustomAction` SET `Type`=3682, `Source`='INSTALLDIR' WHERE `Action`='DeleteCopy'"
    "UPDATE `CustomAction` SET `Type`=3410 WHERE `Action`='RemoveNew'"
    "UPDATE `CustomAction` SET `Type`=3410 WHERE `Action`='StopNew'")
  # wixl places these actions in an order that differs from run to run.
  foreach(place "RestoreOld=1510" "CopyOld=1520" "StopOld=1530" "RemoveService=3490" "InstallExecute=4010"
                "RemoveNew=4020" "StopNew=4030" "InstallService=4040" "DeleteCopy=4050" "InstallExecuteAgain=4060"
                "RemoveExistingProducts=4070")
    string(REGEX MATCH "(.*)=(.*)" unused "${place}")
    list(APPEND statements
      "UPDATE `InstallExecuteSequence` SET `Sequence`=${CMAKE_MATCH_2} WHERE `Action`='${CMAKE_MATCH_1}'")
  endforeach()
  string(REGEX MATCHALL "<Component Id=\"File[0-9]+\"[^>]*NeverOverwrite" kept "${text}")
  foreach(component IN LISTS kept)                        # 128: never overwrite, 16: permanent
    string(REGEX MATCH "File[0-9]+" component "${component}")
    list(APPEND statements "UPDATE `Component` SET `Attributes`=144 WHERE `Component`='${component}'")
  endforeach()
  get_filename_component(tools "${WIXL}" DIRECTORY)
  foreach(statement IN LISTS statements)
    run("${tools}/msibuild" "${OUTPUT}/${file}.msi" -q "${statement}")
  endforeach()

  # No statement changes a part of a key; 512: also an equal version is upgraded. A semicolon would separate arguments.
  replace_in_table(Upgrade "\t1\t\tWIX_UPGRADE_DETECTED" "\t513\tComplete\tWIX_UPGRADE_DETECTED")
  replace_in_table(Property "(SecureCustomProperties\t)" "\\1INSTALLOPTIONS;")
endif()
sign("${OUTPUT}/${file}.msi")                             # before its checksum
message(STATUS "made ${OUTPUT}/${file}.msi")

# --- winget manifest --------------------------------------------------------------------------------------------------

file(SHA256 "${OUTPUT}/${file}.msi" hash)
string(TOUPPER "${hash}" hash)
yaml(company "${COMPANY}")
yaml(product "${PRODUCT}")
yaml(description "${DESCRIPTION}")
set(head "PackageIdentifier: ${PACKAGE_ID}\nPackageVersion: ${VERSION}\n")
set(end "ManifestVersion: 1.6.0\n")
file(WRITE "${manifests}/${PACKAGE_ID}.yaml" "${head}DefaultLocale: en-US\nManifestType: version\n${end}")
file(WRITE "${manifests}/${PACKAGE_ID}.locale.en-US.yaml" "${head}PackageLocale: en-US
Publisher: ${company}
PackageName: ${product}
License: Proprietary
ShortDescription: ${description}
ManifestType: defaultLocale
${end}")
file(WRITE "${manifests}/${PACKAGE_ID}.installer.yaml" "${head}InstallerType: msi
Scope: machine
UpgradeBehavior: install
Installers:
- Architecture: ${ARCHITECTURE}
  InstallerUrl: ${DOWNLOAD_URL}/${file}.msi
  InstallerSha256: ${hash}
  AppsAndFeaturesEntries:
  - UpgradeCode: '{${UPGRADE_CODE}}'
ManifestType: installer
${end}")
message(STATUS "made ${manifests}")
file(REMOVE_RECURSE "${work}")
