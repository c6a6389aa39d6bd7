package store

import (
	"context"
	"embed"
	"fmt"
	"regexp"

	"billsync"

	"github.com/jmoiron/sqlx"
)

// migrations take a database of an older version to this one, one file a
// version. schema.sql is what they arrive at; a test proves that both ways end
// equal.
//
//go:embed migrations/*.sql
var migrations embed.FS

// views finds the views in schema.sql: a migration makes them all anew, so its
// file need not repeat them.
var views = regexp.MustCompile(`(?s)CREATE VIEW (\w+) AS.*?;\n`)

// migrate brings an older database to this program's version, in one
// transaction: after a crash it is what it was.
func migrate(ctx context.Context, path string) error {
	const doing = "bringing it up to date"
	db, err := sqlx.Open("sqlite3", dsn(path, "_busy_timeout=5000&_txlock=immediate"))
	if err != nil {
		return fmt.Errorf("opening %s: %w", path, err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return explain(path, doing, err)
	}
	defer func() { _ = tx.Rollback() }()
	var version int
	if err := tx.GetContext(ctx, &version, "PRAGMA user_version"); err != nil {
		return explain(path, doing, err)
	}
	if version >= schemaVersion {
		return nil // another process was quicker
	}
	found := views.FindAllStringSubmatch(billsync.Schema, -1)
	for _, v := range found {
		if _, err := tx.ExecContext(ctx, "DROP VIEW IF EXISTS "+v[1]); err != nil {
			return explain(path, doing, err)
		}
	}
	for v := version + 1; v <= schemaVersion; v++ {
		sql, err := migrations.ReadFile(fmt.Sprintf("migrations/%03d.sql", v))
		if err != nil {
			return fmt.Errorf("database %s: %s: %w", path, doing, err)
		}
		if _, err := tx.ExecContext(ctx, string(sql)); err != nil {
			return explain(path, fmt.Sprintf("%s, to version %d", doing, v), err)
		}
	}
	for _, v := range found {
		if _, err := tx.ExecContext(ctx, v[0]); err != nil {
			return explain(path, doing, err)
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", schemaVersion)); err != nil {
		return explain(path, doing, err)
	}
	if err := tx.Commit(); err != nil {
		return explain(path, doing, err)
	}
	return nil
}
