package report

import (
	"errors"
	"path/filepath"
)

// WriteXLSX writes a report as a workbook; see WriteWorkbook. The file is made
// under another name and renamed when it is whole and on the disk, so that the name
// never stands for half a workbook, and only its owner may read it. One that is
// there is replaced with force, and a UsageError without.
func WriteXLSX(path string, r *Report, force bool) (err error) {
	if err := free(path, force); err != nil {
		return err
	}
	files, err := NewFiles(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(Full(err, path), files.Close()) }()
	f, err := files.Create(filepath.Base(path))
	if err != nil {
		return err
	}
	if err := WriteWorkbook(f, r, files.Temp()); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return files.Place()
}
