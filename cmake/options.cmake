# Compiler flags, sanitizers and build options, in one place.
option(BUILD_TESTING "build the tests" ON)
option(WERROR "warnings are errors" ON)
option(FUZZ "build the libFuzzer harnesses (clang only)" OFF)
option(COVERAGE "instrument for gcovr (gcc only)" OFF)
set(SANITIZE "" CACHE STRING "address,undefined | thread | memory")

add_compile_definitions(_GNU_SOURCE)
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
  -Wundef -Wvla -Wformat=2 -Wcast-qual -Wpointer-arith -Wwrite-strings -fstack-protector-strong
  -fno-common -ffile-prefix-map=${CMAKE_BINARY_DIR}=build -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
if(WERROR)
  add_compile_options(-Werror)
endif()
if(SANITIZE)
  add_compile_options(-fsanitize=${SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SANITIZE})
elseif(CMAKE_BUILD_TYPE MATCHES "Rel")
  add_compile_definitions(_FORTIFY_SOURCE=2)
endif()
# -O3: the scan kernels rely on the vectoriser; measured +20 % on the engine over -O2.
set(CMAKE_C_FLAGS_RELEASE "-O3 -g")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O3 -g")
if(FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(COVERAGE)
  add_compile_options(--coverage -O1)
  add_link_options(--coverage)
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
