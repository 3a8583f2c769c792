// SPDX-License-Identifier: Apache-2.0
#include "support/temporary_folder.hpp"

#include <hks/storage/database.hpp>

#include <catch2/catch.hpp>
#include <sqlite3.h>
#include <sys/stat.h>
#include <thread>

using namespace hks;
using namespace hks::storage;
using hks::test::TemporaryFolder;

namespace {

std::unique_ptr<Database> open(const std::string& path) {
    auto database = Database::open(path, Durability::full);
    INFO((database ? "" : database.error().message));
    REQUIRE(database.has_value());
    return std::move(*database);
}

std::string pragma(Database& database, const std::string& name) {
    auto s = database.prepare("PRAGMA " + name);
    REQUIRE(s.has_value());
    REQUIRE(s->step().value());
    return s->text(0);
}

int64_t count(Database& database, const std::string& table) {
    auto s = database.prepare("SELECT count(*) FROM " + table);
    REQUIRE(s.has_value());
    REQUIRE(s->step().value());
    return s->integer(0);
}

constexpr Migration first{1, "CREATE TABLE a(x INTEGER); INSERT INTO a VALUES(1);"};

}  // namespace

TEST_CASE("a new database is private, in WAL mode and fully synchronous") {
    TemporaryFolder folder;
    auto database = open(folder.file("x.db"));
    struct stat status;
    REQUIRE(::stat(folder.file("x.db").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK(pragma(*database, "journal_mode") == "wal");
    CHECK(pragma(*database, "synchronous") == "2");
    CHECK(pragma(*database, "foreign_keys") == "1");
    CHECK(pragma(*database, "journal_size_limit") == "16777216");
}

TEST_CASE("the write-ahead log of a database is private too") {
    TemporaryFolder folder;
    auto database = open(folder.file("x.db"));
    REQUIRE(database->execute("CREATE TABLE t(x)").has_value());
    struct stat status;
    REQUIRE(::stat(folder.file("x.db-wal").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("a loose mode of an existing database is tightened") {
    TemporaryFolder folder;
    open(folder.file("x.db"));
    ::chmod(folder.file("x.db").c_str(), 0644);
    auto database = open(folder.file("x.db"));
    struct stat status;
    REQUIRE(::stat(folder.file("x.db").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("a file that is no database is refused and left as it is") {
    TemporaryFolder folder;
    std::string text(4096, 'x');
    test::write_file(folder.file("x.db"), text);
    auto database = Database::open(folder.file("x.db"), Durability::full);
    REQUIRE(!database);
    CHECK(database.error().code == Errc::provider_error);
    CHECK(database.error().message.find("not a database of hks") != std::string::npos);
    CHECK(test::read_file(folder.file("x.db")) == text);
}

TEST_CASE("a database of another program is refused") {
    TemporaryFolder folder;
    sqlite3* other = nullptr;
    REQUIRE(sqlite3_open(folder.file("x.db").c_str(), &other) == SQLITE_OK);
    SECTION("with another application id") {
        sqlite3_exec(other, "PRAGMA application_id = 7; CREATE TABLE t(x)", nullptr, nullptr, nullptr);
    }
    SECTION("with tables and no application id") {
        sqlite3_exec(other, "CREATE TABLE t(x)", nullptr, nullptr, nullptr);
    }
    sqlite3_close(other);
    auto database = Database::open(folder.file("x.db"), Durability::full);
    REQUIRE(!database);
    CHECK(database.error().message.find("another program") != std::string::npos);
}

TEST_CASE("a second connection to an open database is refused") {
    TemporaryFolder folder;
    auto database = open(folder.file("x.db"));
    auto second = Database::open(folder.file("x.db"), Durability::full);
    REQUIRE(!second);
    CHECK(second.error().message.find("in use") != std::string::npos);
    CHECK(database->execute("CREATE TABLE t(x)").has_value());
}

TEST_CASE("a database in a folder that is not there names the file") {
    auto database = Database::open("/nonexistent/x.db", Durability::full);
    REQUIRE(!database);
    CHECK(database.error().message.find("/nonexistent/x.db") != std::string::npos);
}

TEST_CASE("values come back as they were bound, in order") {
    TemporaryFolder folder;
    auto database = open(folder.file("x.db"));
    REQUIRE(database->execute("CREATE TABLE t(a, b, c, d, e)").has_value());
    std::string blob("\0\xff\1", 3);
    auto s = database->prepare("INSERT INTO t VALUES(?,?,?,?,?)");
    REQUIRE(s.has_value());
    REQUIRE(s->bind(int64_t{1} << 60)
                .bind("text")
                .bind(std::string_view())
                .bind_blob(blob)
                .bind_null()
                .run()
                .has_value());
    auto r = database->prepare("SELECT * FROM t");
    REQUIRE(r->step().value());
    CHECK(r->integer(0) == int64_t{1} << 60);
    CHECK(r->text(1) == "text");
    CHECK(r->text(2).empty());
    CHECK(!r->is_null(2));
    CHECK(r->text(3) == blob);
    CHECK(r->is_null(4));
    CHECK(!r->step().value());
}

TEST_CASE("a value too many is an error of the step, not lost") {
    TemporaryFolder folder;
    auto database = open(folder.file("x.db"));
    auto s = database->prepare("SELECT ?");
    auto row = s->bind(1).bind(2).step();
    REQUIRE(!row);
    CHECK(row.error().code == Errc::internal);
}

TEST_CASE("a statement is prepared once and has no values of its last use") {
    TemporaryFolder folder;
    auto database = open(folder.file("x.db"));
    {
        auto s = database->prepare("SELECT ?");
        REQUIRE(s->bind("old").step().value());
    }
    auto s = database->prepare("SELECT ?");
    REQUIRE(s->step().value());
    CHECK(s->is_null(0));
}

TEST_CASE("the same statement can be in use twice") {
    TemporaryFolder folder;
    auto database = open(folder.file("x.db"));
    auto one = database->prepare("SELECT ?");
    auto two = database->prepare("SELECT ?");
    REQUIRE(one->bind(1).step().value());
    REQUIRE(two->bind(2).step().value());
    CHECK(one->integer(0) == 1);
    CHECK(two->integer(0) == 2);
}

TEST_CASE("a transaction that is not committed leaves nothing") {
    TemporaryFolder folder;
    auto database = open(folder.file("x.db"));
    REQUIRE(database->execute("CREATE TABLE t(x)").has_value());
    {
        Transaction transaction(*database);
        REQUIRE(transaction.begin().has_value());
        REQUIRE(database->execute("INSERT INTO t VALUES(1)").has_value());
    }
    CHECK(count(*database, "t") == 0);
    Transaction next(*database);
    REQUIRE(next.begin().has_value());
    REQUIRE(database->execute("INSERT INTO t VALUES(1)").has_value());
    REQUIRE(next.commit().has_value());
    CHECK(count(*database, "t") == 1);
}

TEST_CASE("a transaction keeps other threads out until its end") {
    TemporaryFolder folder;
    auto database = open(folder.file("x.db"));
    REQUIRE(database->execute("CREATE TABLE t(x)").has_value());
    constexpr int rounds = 200;
    auto work = [&] {
        for (int i = 0; i < rounds; ++i) {
            Transaction transaction(*database);
            if (!transaction.begin()) return;
            auto s = database->prepare("INSERT INTO t SELECT count(*) FROM t");
            if (!s || !s->run() || !transaction.commit()) return;
        }
    };
    std::thread one(work), two(work);
    one.join();
    two.join();
    CHECK(count(*database, "t") == 2 * rounds);
    CHECK(count(*database, "(SELECT DISTINCT x FROM t)") == 2 * rounds);
}

TEST_CASE("a full disk is said to be full and the database goes on afterwards") {
    TemporaryFolder folder;
    auto database = open(folder.file("x.db"));
    REQUIRE(database->execute("CREATE TABLE t(x); PRAGMA max_page_count = 20").has_value());
    auto s = database->prepare("INSERT INTO t VALUES(?)");
    auto done = s->bind_blob(std::string(1 << 20, 'x')).run();
    REQUIRE(!done);
    CHECK(done.error().code == Errc::storage_full);
    CHECK(database->execute("INSERT INTO t VALUES(1)").has_value());
}

TEST_CASE("migrations run once and in order") {
    TemporaryFolder folder;
    auto database = open(folder.file("x.db"));
    const Migration steps[]{first, {2, "ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1;"}};
    REQUIRE(migrate(*database, "one", steps, 1).has_value());
    REQUIRE(migrate(*database, "one", steps, 2).has_value());
    REQUIRE(migrate(*database, "one", steps, 2).has_value());
    CHECK(count(*database, "a") == 1);
    CHECK(count(*database, "schema_migrations") == 2);
}

TEST_CASE("components of one database have numbers of their own") {
    TemporaryFolder folder;
    auto database = open(folder.file("x.db"));
    const Migration other[]{{1, "CREATE TABLE b(x)"}, {2, "CREATE TABLE c(x)"}};
    REQUIRE(migrate(*database, "one", &first, 1).has_value());
    REQUIRE(migrate(*database, "two", other, 2).has_value());
    REQUIRE(migrate(*database, "one", &first, 1).has_value());
}

TEST_CASE("a migration that fails half way leaves the schema as it was") {
    TemporaryFolder folder;
    auto database = open(folder.file("x.db"));
    REQUIRE(migrate(*database, "one", &first, 1).has_value());
    const Migration steps[]{
        first, {2, "CREATE TABLE b(x)"}, {3, "CREATE TABLE c(x); INSERT INTO nowhere VALUES(1);"}};
    auto done = migrate(*database, "one", steps, 3);
    REQUIRE(!done);
    CHECK(done.error().message.find("step 3") != std::string::npos);
    CHECK(!database->prepare("SELECT * FROM b").has_value());
    CHECK(count(*database, "schema_migrations") == 1);
    CHECK(migrate(*database, "one", &first, 1).has_value());
}

TEST_CASE("data of a newer program is refused with what to do") {
    TemporaryFolder folder;
    auto database = open(folder.file("x.db"));
    const Migration steps[]{first, {2, "CREATE TABLE b(x)"}};
    REQUIRE(migrate(*database, "one", steps, 2).has_value());
    auto done = migrate(*database, "one", steps, 1);
    REQUIRE(!done);
    CHECK(done.error().message.find("version 2") != std::string::npos);
    CHECK(done.error().message.find("newer hks") != std::string::npos);
}

TEST_CASE("a gap in the migrations is a defect") {
    TemporaryFolder folder;
    auto database = open(folder.file("x.db"));
    const Migration steps[]{first, {3, "CREATE TABLE b(x)"}};
    auto done = migrate(*database, "one", steps, 2);
    REQUIRE(!done);
    CHECK(done.error().code == Errc::internal);
}
