package report

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
)

// A spool is the zip file of a workbook. The library writes its sheets in an order
// that is another each time, and all of them into memory; a spool keeps the
// compressed files on the disk and puts them together by name, so that the same
// report gives the same bytes.
type spool struct {
	out     io.Writer
	disk    *os.File
	buf     *bufio.Writer
	flate   *flate.Writer
	at      int64
	entries []*entry
}

// An entry is a file in the zip file.
type entry struct {
	spool *spool
	head  zip.FileHeader
	from  int64 // where it begins on the disk
	sum   hash.Hash32
}

// compression is as much as costs little time: the default takes a fifth longer for
// all of a workbook, which is hardly smaller then.
const compression = 3

var errClosed = errors.New("a file of the workbook is written after the next was begun")

// newSpool keeps its data in a file in dir, which is removed with the folder.
func newSpool(out io.Writer, dir string) (*spool, error) {
	disk, err := os.CreateTemp(dir, "spool-")
	if err != nil {
		return nil, err
	}
	s := &spool{out: out, disk: disk}
	s.buf = bufio.NewWriterSize((*counted)(s), 1<<18)
	s.flate, err = flate.NewWriter(s.buf, compression)
	return s, err
}

// counted counts what comes to the disk.
type counted spool

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.disk.Write(p)
	c.at += int64(n)
	return n, err
}

// Create begins the next file and ends the one before.
func (s *spool) Create(name string) (io.Writer, error) {
	if err := s.finish(); err != nil {
		return nil, err
	}
	s.flate.Reset(s.buf)
	e := &entry{spool: s, from: s.at, sum: crc32.NewIEEE()}
	e.head.Name, e.head.Method = name, zip.Deflate
	// 1 January 1980, the first day there is in a zip file.
	e.head.ModifiedDate = 1<<5 | 1 //lint:ignore SA1019 CreateRaw writes this field and not Modified
	s.entries = append(s.entries, e)
	return e, nil
}

func (e *entry) Write(p []byte) (int, error) {
	if e != e.spool.entries[len(e.spool.entries)-1] {
		return 0, errClosed
	}
	e.sum.Write(p) // a hash takes everything
	e.head.UncompressedSize64 += uint64(len(p))
	return e.spool.flate.Write(p)
}

// finish ends the last file that was begun.
func (s *spool) finish() error {
	if len(s.entries) == 0 {
		return nil
	}
	e := s.entries[len(s.entries)-1]
	if err := errors.Join(s.flate.Close(), s.buf.Flush()); err != nil {
		return err
	}
	e.head.CRC32 = e.sum.Sum32()
	e.head.CompressedSize64 = uint64(s.at - e.from)
	// A larger one needs another kind of head, which is not there with CreateRaw and
	// without which Excel calls the workbook damaged.
	if e.head.UncompressedSize64 >= math.MaxUint32 {
		return &UsageError{fmt.Sprintf("%s would be %d bytes, more than a workbook can hold", e.head.Name, e.head.UncompressedSize64), "take --csv, or a shorter period"}
	}
	return nil
}

// AddFS is of the library's interface, and never used by it.
func (s *spool) AddFS(fs.FS) error { return errors.ErrUnsupported }

// Close writes the zip file.
func (s *spool) Close() error {
	if err := s.finish(); err != nil {
		return err
	}
	slices.SortFunc(s.entries, func(a, b *entry) int { return strings.Compare(a.head.Name, b.head.Name) })
	zw := zip.NewWriter(s.out)
	for _, e := range s.entries {
		w, err := zw.CreateRaw(&e.head)
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, io.NewSectionReader(s.disk, e.from, int64(e.head.CompressedSize64))); err != nil {
			return err
		}
	}
	return zw.Close()
}
