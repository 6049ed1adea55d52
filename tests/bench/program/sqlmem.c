/* sqlmem: a database in memory: rows in, queries that are parsed anew each time, an index, sorting, grouping, deletion.
 * usage: sqlmem [rows] */
/* LDLIBS: -lsqlite3 */
#include "bench.h"
#include <sqlite3.h>

static sqlite3 *db;

static void need(int ok, const char *what)
{
	if (ok) return;
	fprintf(stderr, "sqlmem: %s: %s\n", what, sqlite3_errmsg(db));
	exit(1);
}

static void run(const char *sql)
{
	need(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
}

static void fill(long rows, uint64_t *seed)
{
	static const char sql[] = "insert into book(title, text, price) values(?, ?, ?)";
	char title[64], text[512];
	sqlite3_stmt *s;

	memset(text, 'x', sizeof text);
	need(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK, sql);
	run("begin");
	for (long i = 0; i < rows; i++) {
		uint64_t r = bench_random(seed);
		int n = snprintf(title, sizeof title, "title %u of %ld", (unsigned)(r % 50000), i);
		sqlite3_bind_text(s, 1, title, n, SQLITE_TRANSIENT);
		sqlite3_bind_blob(s, 2, text, (int)(r >> 20 & 255) + 16, SQLITE_TRANSIENT);
		sqlite3_bind_double(s, 3, (double)(r >> 40) / 100);
		need(sqlite3_step(s) == SQLITE_DONE, sql);
		sqlite3_reset(s);
	}
	run("commit");
	sqlite3_finalize(s);
}

static void ask(long times, long rows, uint64_t *seed)
{
	char sql[128];

	for (long i = 0; i < times; i++) {
		snprintf(sql, sizeof sql, "select upper(title) || hex(substr(text, 1, 32)), price from book where id = %ld",
		         (long)(bench_random(seed) % (uint64_t)rows) + 1);
		run(sql);
	}
}

int main(int argc, char **argv)
{
	long rows = bench_arg(argc, argv, 1, 100000);
	uint64_t seed = 1;
	struct bench b = bench_begin();

	need(sqlite3_open(":memory:", &db) == SQLITE_OK, "opening");
	run("create table book(id integer primary key, title text, text blob, price real); create index by_title on book(title)");
	fill(rows, &seed);
	ask(rows / 5, rows, &seed);
	run("create table shelf as select substr(title, 1, 8) as name, count(*), group_concat(substr(title, 7, 3)) from book group by 1");
	run("update book set title = 'new ' || title where id % 4 = 0");
	run("select count(*) from (select a.id from book a join book b on a.id = b.id + 1 order by a.title desc)");
	run("delete from book where id % 3 = 1");
	sqlite3_close(db);
	bench_end(b, (double)rows);
	return 0;
}
