package bill

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// A Said collects what the bills on a page say, for PageRecord.BillsHash: their
// Hash, what they are found by, and their card's label, which is stored and no
// part of the Hash.
//
// It is four lists, and not one of whole bills: a database puts these together
// in little more than half the time.
type Said struct {
	lists   [4][]byte
	bills   int
	unclear bool // an entry could be taken for two
}

// saidSeparators stand between the entries. Labels are written by people, who
// may well use a comma.
var saidSeparators = [4]string{",", ",", ",", LabelSeparator}

// LabelSeparator stands between two labels, a comma between all others.
const LabelSeparator = "\x1f"

// Reset empties it, for another page.
func (s *Said) Reset() {
	for i := range s.lists {
		s.lists[i] = s.lists[i][:0]
	}
	s.bills, s.unclear = 0, false
}

// Add adds what a stored bill says. The time is written as it is stored.
func (s *Said) Add(b *Bill) {
	if s.bills++; s.bills > 1 {
		for i := range s.lists {
			s.lists[i] = append(s.lists[i], saidSeparators[i]...)
		}
	}
	s.lists[1] = AppendTime(s.lists[1], b.TransactionTime)
	s.add(0, b.Hash)
	s.add(2, b.OrderNo)
	s.add(3, b.CardNickName)
}

func (s *Said) add(list int, entry string) {
	s.unclear = s.unclear || strings.Contains(entry, saidSeparators[list])
	s.lists[list] = append(s.lists[list], entry...)
}

// Hash returns the hash of it all, empty if as many other bills could have the
// same lists.
func (s *Said) Hash() string {
	if s.unclear {
		return ""
	}
	return SaidHash(s.lists[0], s.lists[1], s.lists[2], s.lists[3])
}

// SaidHash makes that hash of the lists of hashes, times, order numbers and
// labels. It is the same in every process.
func SaidHash[List string | []byte](hashes, times, orders, labels List) string {
	all := make([]byte, 0, len(hashes)+len(times)+len(orders)+len(labels)+4*binary.MaxVarintLen64)
	for _, list := range [...]List{hashes, times, orders, labels} {
		all = append(binary.AppendUvarint(all, uint64(len(list))), list...)
	}
	sum := sha256.Sum256(all)
	return hex.EncodeToString(sum[:16])
}
