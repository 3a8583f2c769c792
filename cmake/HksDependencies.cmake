# Every third-party library of the project. Versions and reasons: docs/adr/0001-dependencies.md.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(SQLite3 3.40 REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(LibArchive 3.6 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)

# Asio and Beast are compiled once, in one library, instead of in every file that includes them.
add_library(hks_asio STATIC ${CMAKE_SOURCE_DIR}/cmake/asio.cpp)
target_compile_definitions(hks_asio PUBLIC BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
                                           BOOST_ASIO_NO_DEPRECATED BOOST_ALL_NO_LIB)
target_include_directories(hks_asio SYSTEM PUBLIC ${Boost_INCLUDE_DIRS})
target_link_libraries(hks_asio PUBLIC Threads::Threads OpenSSL::SSL OpenSSL::Crypto)

# Precompiled headers, made once for all modules and once for all tests; they must be compiled with exactly the flags of
# those that use them, so both libraries link what their users link.
add_library(hks_pch STATIC ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(hks_pch PRIVATE hks_asio nlohmann_json::nlohmann_json)
target_precompile_headers(hks_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.hpp)
