package report

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What a killed export left is removed, what another one is writing is not, nor what
// only looks like it.
func TestStaleFolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other, err := NewFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := other.Create("mine.csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".syncer-17", ".syncer-4711", ".syncer-mine", "syncer-5", ".syncer-5.bak"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "half.csv"), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ".syncer-18"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(".syncer-mine", filepath.Join(dir, ".syncer-19")); err != nil {
		t.Fatal(err)
	}
	files, err := NewFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("whole")); err != nil {
		t.Fatal(err)
	}
	for _, fn := range []func() error{f.Close, other.Place, other.Close, files.Close} {
		if err := fn(); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{".syncer-18", ".syncer-19", ".syncer-5.bak", ".syncer-mine", "mine.csv", "syncer-5"}; !slices.Equal(left, want) {
		t.Errorf("there is %v, want %v", left, want)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "mine.csv")); err != nil || string(data) != "whole" {
		t.Errorf("%q, %v", data, err)
	}
}

// Files that are not kept open while others are written hold all that was written.
func TestFrugalFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files, err := NewFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	files.Frugal = true
	open := map[string]*File{}
	for _, text := range []string{"one ", "two ", "three"} {
		for _, name := range []string{"a", "b", "c"} {
			if open[name] == nil {
				if open[name], err = files.Create(name); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := open[name].Write([]byte(name + text)); err != nil {
				t.Fatal(err)
			}
			if open[name].f != nil {
				t.Errorf("%s stays open", name)
			}
		}
	}
	for name, f := range open {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if want := sha256.Sum256([]byte(name + "one " + name + "two " + name + "three")); f.Bytes != 16 || !bytes.Equal(f.Hash(), want[:]) {
			t.Errorf("%s: %d bytes, or another hash", name, f.Bytes)
		}
	}
	if err := errors.Join(files.Place(), files.Close()); err != nil {
		t.Fatal(err)
	}
	for name := range open {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != name+"one "+name+"two "+name+"three" {
			t.Errorf("%s holds %q, %v", name, data, err)
		}
	}
}
