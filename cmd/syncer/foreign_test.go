package main

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// prints are the hashes of the files in a folder, by name.
func prints(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), "-shm") { // memory, which means nothing once everybody is gone
			continue
		}
		if fi, err := f.Info(); err == nil && fi.Size() == 0 && strings.HasSuffix(f.Name(), "-wal") {
			continue // whoever may only read leaves it
		}
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		out[f.Name()] = hex.EncodeToString(sum[:8])
	}
	return out
}

// synced returns a database of some days of the built-in simulator's bills, as
// it lies on the disk.
func synced(t *testing.T, days int) []byte {
	t.Helper()
	dir := folder(t, settings{}, days, "")
	ran(t, dir, 0, "sync", "-q")
	data, err := os.ReadFile(filepath.Join(dir, "bills.db"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A file that cannot be this program's database, or is none that it can use, is
// named, whatever the command, and not a byte of it is changed.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	good := synced(t, 40)
	commands := [][]string{
		{"sync"}, {"sync", "--full"}, {"retry", "--now"}, {"run"}, {"accept", "item:1", "--note", "x"},
		{"plan"}, {"status"}, {"status", "--healthy"},
	}
	for _, tt := range []struct {
		name string
		code int
		says string
		make func(t *testing.T, path string)
	}{
		{"a text", 2, "this is not an SQLite database", func(t *testing.T, path string) { put(t, path, []byte("order,amount\nA,1\n")) }},
		{"another program's", 2, "this is an SQLite database of another program", func(t *testing.T, path string) {
			executed(t, path, "CREATE TABLE bills (id INTEGER)", "INSERT INTO bills VALUES (7)")
		}},
		{"another program's, at work", 2, "this is an SQLite database of another program", func(t *testing.T, path string) {
			executed(t, path+".x", "PRAGMA journal_mode = WAL", "CREATE TABLE bills (id INTEGER)")
			db, err := opened(path + ".x")
			if err != nil {
				t.Fatal(err)
			}
			defer os.Remove(path + ".x")
			defer db.Close()
			if _, err := db.Exec("INSERT INTO bills VALUES (7)"); err != nil {
				t.Fatal(err)
			}
			for _, end := range []string{"", "-wal"} {
				data, err := os.ReadFile(path + ".x" + end)
				if err != nil {
					t.Fatal(err)
				}
				put(t, path+end, data)
			}
		}},
		{"a newer version's", 2, "it was made by a newer version of syncer (schema 99, ", func(t *testing.T, path string) {
			put(t, path, good)
			executed(t, path, "PRAGMA user_version = 99")
		}},
		{"an empty one with our number", 2, "its schema is unfinished", func(t *testing.T, path string) {
			executed(t, path, "PRAGMA application_id = 1464025683", "CREATE TABLE x (y)", "DROP TABLE x")
		}},
		{"cut off in the middle", 1, "the database is damaged", func(t *testing.T, path string) { put(t, path, good[:len(good)/2+1234]) }},
		{"cut off in the header", 2, "this is not an SQLite database", func(t *testing.T, path string) { put(t, path, good[:50]) }},
		{"its first page overwritten", 1, "the database is damaged", func(t *testing.T, path string) {
			bad := slices.Clone(good)
			for i := 100; i < 16384; i++ {
				bad[i] ^= 0xa5
			}
			put(t, path, bad)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, settings{}, 40, "")
			path := filepath.Join(dir, "bills.db")
			tt.make(t, path)
			before := prints(t, dir)
			for _, args := range commands {
				_, errout := ran(t, dir, tt.code, args...)
				contains(t, fmt.Sprintf("what syncer %v says", args), errout, "syncer: database "+path+": ", tt.says, "\nhint: ")
				if n := strings.Count(errout, "\n"); n != 2 {
					t.Errorf("syncer %v says %q, want one line and a hint", args, errout)
				}
			}
			out, _ := ran(t, dir, tt.code, "check", "--offline")
			contains(t, "what check says", out, "\nFAIL  database: database "+path+": ", tt.says)
			if after := prints(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("the files were changed:\n%v\n%v", before, after)
			}
		})
	}
}

// An empty file is what a missing one is.
func TestEmptyFile(t *testing.T) {
	t.Parallel()
	dir := folder(t, settings{}, 40, "")
	put(t, filepath.Join(dir, "bills.db"), nil)
	for _, args := range [][]string{{"check", "--offline"}, {"status"}, {"plan"}, {"sync", "-n"}} {
		ran(t, dir, 0, args...)
	}
	if fi, err := os.Stat(filepath.Join(dir, "bills.db")); err != nil || fi.Size() != 0 {
		t.Errorf("looking at an empty file filled it: %v", err)
	}
	ran(t, dir, 0, "sync", "-q")
	ran(t, dir, 0, "status", "--healthy")
}

// Bytes that turn over on the disk: wherever SQLite can tell, check finds it;
// no command panics over it, and one that meets it names the database.
func TestFlippedBytes(t *testing.T) {
	t.Parallel()
	good := synced(t, 120)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 1))
	found, met := 0, 0
	for i := range 6 {
		bad := slices.Clone(good)
		from, to := 16384+dice.IntN(len(bad)-16384-8192), 1<<dice.IntN(14)
		if i%2 == 0 { // where a page says what it is
			from, to = from-from%16384, 12
		}
		for j := from; j < from+to; j++ {
			bad[j] ^= byte(1 + dice.IntN(255))
		}
		dir := folder(t, settings{}, 120, "")
		path := filepath.Join(dir, "bills.db")
		put(t, path, bad)
		where := fmt.Sprintf("bytes from %d turned over", from)
		code := 0
		if !intact(t, path) {
			code = 1
			found++
		}
		out, _ := ran(t, dir, code, "check", "--offline")
		if code != 0 {
			contains(t, where+": what check says", out, "\nFAIL  database: ", path, "damaged")
		}
		for _, args := range [][]string{{"status"}, {"sync", "--full", "-q"}} {
			if data, err := os.ReadFile(path); err != nil || !slices.Equal(data, bad) {
				t.Errorf("%s: looking changed the file: %v", where, err)
			}
			c := launch(t, dir, args...)
			switch got := c.code(patience); got {
			case 0, 3:
			case 1, 2: // 2: what turned over says now that the bills are another client's, for one
				met++
				contains(t, fmt.Sprintf("%s: what syncer %v says", where, args), c.err.String(), "syncer: database "+path+": ", "\nhint: ")
			default:
				t.Errorf("%s: syncer %v ended with %d:\n%s%s", where, args, got, c.out, c.err)
			}
		}
	}
	t.Logf("check found %d of 6, %d commands met them", found, met)
	if found == 0 {
		t.Errorf("nothing was damaged: this test tries nothing")
	}
}

// intact asks SQLite whether nothing is wrong with a file.
func intact(t *testing.T, path string) bool {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := ask(db, "PRAGMA integrity_check")
	return err == nil && len(rows) == 1 && rows[0] == "ok"
}

// A log that is missing, cut off or overwritten costs what was in it, which is
// read again; one of another time is gone on with or found to be wrong.
func TestLostLog(t *testing.T) {
	t.Parallel()
	api, srv := serveBook(t, many(200, 60))
	alone, dir := folder(t, api, 60, ""), folder(t, api, 60, "")
	for range 2 {
		ran(t, alone, 0, "sync", "-q")
	}
	ran(t, dir, 0, "sync", "-q", "--from", time.Now().AddDate(0, 0, -2).Format(time.DateOnly))
	g := gated(t, srv, 12)
	c := launch(t, dir, "sync", "--full", "-q")
	g.waits(t, c)
	c.signal(os.Kill)
	<-c.ended
	g.opened()
	srv.OnRequest(nil)
	path := filepath.Join(dir, "bills.db")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(path + "-wal")
	if err != nil || len(log) == 0 {
		t.Fatalf("the killed sync left no log: %v", err)
	}
	ran(t, dir, 0, "sync", "-q")
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	garbage := slices.Clone(log)
	for i := 32; i < len(garbage); i++ {
		garbage[i] ^= 0xa5
	}
	for _, tt := range []struct {
		name      string
		file, log []byte
		may       int // how a run may end instead of well
	}{
		{"missing", before, nil, 0},
		{"empty", before, []byte{}, 0},
		{"cut off", before, log[:len(log)/2+1000], 0},
		{"overwritten", before, garbage, 0},
		{"overwritten, beside a newer file", after, garbage, 0},
		{"of another time", after, log, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, api, 60, "")
			path := filepath.Join(dir, "bills.db")
			put(t, path, tt.file)
			if tt.log != nil {
				put(t, path+"-wal", tt.log)
			}
			c := launch(t, dir, "sync", "-q")
			code := c.code(patience)
			if code == tt.may && code != 0 {
				contains(t, "what the sync says", c.err.String(), "syncer: database "+path+": ", "the database is damaged", "\nhint: ")
				return
			}
			if code != 0 {
				t.Fatalf("the sync ended with %d, want 0:\n%s", code, c.err)
			}
			ran(t, dir, 0, "sync", "-q")
			sound(t, dir, "afterwards")
			sameBooks(t, alone, dir)
		})
	}
}
