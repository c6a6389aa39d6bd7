package main

// The functions are those of the SQLite that the driver brings along: declared
// here and found when the whole program is linked, so that the loop runs the
// very same code. What cgo links to look at this package alone lacks them, hence
// the weak references.

/*
#cgo darwin LDFLAGS: -Wl,-undefined,dynamic_lookup

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __APPLE__
#define LATE extern
#else
#define LATE extern __attribute__((weak))
#endif

typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;

LATE int sqlite3_open_v2(const char *, sqlite3 **, int, const char *);
LATE int sqlite3_close_v2(sqlite3 *);
LATE int sqlite3_exec(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **);
LATE int sqlite3_prepare_v2(sqlite3 *, const char *, int, sqlite3_stmt **, const char **);
LATE int sqlite3_bind_int64(sqlite3_stmt *, int, long long);
LATE int sqlite3_bind_null(sqlite3_stmt *, int);
LATE int sqlite3_bind_text(sqlite3_stmt *, int, const char *, int, void (*)(void *));
LATE int sqlite3_step(sqlite3_stmt *);
LATE int sqlite3_reset(sqlite3_stmt *);
LATE int sqlite3_clear_bindings(sqlite3_stmt *);
LATE int sqlite3_finalize(sqlite3_stmt *);
LATE int sqlite3_total_changes(sqlite3 *);
LATE const char *sqlite3_errmsg(sqlite3 *);

enum { OK = 0, DONE = 101, READWRITE = 2, CREATE = 4 };

static int open_database(const char *path, sqlite3 **db) {
	return sqlite3_open_v2(path, db, READWRITE | CREATE, NULL);
}

static int execute(sqlite3 *db, const char *sql) {
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int prepare(sqlite3 *db, const char *sql, sqlite3_stmt **st) {
	return sqlite3_prepare_v2(db, sql, -1, st, NULL);
}

// store_rows is the loop: so many rows of so many columns, in one transaction. A
// value is a letter, then nothing ('n'), eight bytes ('i'), or four bytes of
// length and the text ('t').
static int store_rows(sqlite3 *db, sqlite3_stmt *st, const unsigned char *p, long rows, int columns) {
	int rc = execute(db, "BEGIN IMMEDIATE");
	if (rc != OK)
		return rc;
	while (rows-- > 0) {
		for (int c = 1; c <= columns; c++) {
			int64_t i;
			uint32_t size;
			switch (*p++) {
			case 'n':
				rc = sqlite3_bind_null(st, c);
				break;
			case 'i':
				memcpy(&i, p, sizeof i);
				p += sizeof i;
				rc = sqlite3_bind_int64(st, c, i);
				break;
			default:
				memcpy(&size, p, sizeof size);
				p += sizeof size;
				rc = sqlite3_bind_text(st, c, (const char *)p, (int)size, NULL);
				p += size;
			}
			if (rc != OK)
				return rc;
		}
		rc = sqlite3_step(st);
		if (rc != DONE)
			return rc;
		sqlite3_reset(st);
	}
	sqlite3_clear_bindings(st);
	return execute(db, "COMMIT");
}
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// A cDatabase is a database opened without Go's driver.
type cDatabase struct {
	db *C.sqlite3
	st *C.sqlite3_stmt
}

func openC(path string) (*cDatabase, error) {
	c := new(cDatabase)
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	rc := C.open_database(name, &c.db)
	if err := c.check("opening "+path, rc); err != nil {
		C.sqlite3_close_v2(c.db)
		return nil, err
	}
	return c, nil
}

func (c *cDatabase) check(doing string, rc C.int) error {
	if rc == C.OK {
		return nil
	}
	return fmt.Errorf("%s: %s (%d)", doing, C.GoString(C.sqlite3_errmsg(c.db)), rc)
}

// exec runs statements.
func (c *cDatabase) exec(sql string) error {
	text := C.CString(sql)
	defer C.free(unsafe.Pointer(text))
	return c.check("executing SQL", C.execute(c.db, text))
}

// prepare makes the statement that stores a row.
func (c *cDatabase) prepare(sql string) error {
	text := C.CString(sql)
	defer C.free(unsafe.Pointer(text))
	C.sqlite3_finalize(c.st)
	c.st = nil
	return c.check("preparing a statement", C.prepare(c.db, text, &c.st))
}

// store stores encoded rows in one transaction.
func (c *cDatabase) store(encoded []byte, rows, columns int) error {
	return c.check("storing rows", C.store_rows(c.db, c.st, (*C.uchar)(unsafe.SliceData(encoded)), C.long(rows), C.int(columns)))
}

// changes is how many rows were written so far.
func (c *cDatabase) changes() int { return int(C.sqlite3_total_changes(c.db)) }

func (c *cDatabase) close() error {
	C.sqlite3_finalize(c.st)
	return c.check("closing", C.sqlite3_close_v2(c.db))
}
