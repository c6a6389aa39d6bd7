package syncer

// A seenSet holds the ids of the bills that a pass has met. Ids given out
// together are neighbours, so a bit each is enough even for a very large
// window: a million bills take an eighth of a megabyte.
type seenSet struct {
	words map[int64]*[64]uint64
	n     int
}

func (s *seenSet) has(id int64) bool {
	w := s.words[id>>12]
	return w != nil && w[id>>6&63]&(1<<uint(id&63)) != 0
}

// add reports whether id is new.
func (s *seenSet) add(id int64) bool {
	if s.words == nil {
		s.words = map[int64]*[64]uint64{}
	}
	w := s.words[id>>12]
	if w == nil {
		w = new([64]uint64)
		s.words[id>>12] = w
	}
	word, bit := &w[id>>6&63], uint64(1)<<uint(id&63)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	s.n++
	return true
}

// len returns how many ids are in the set.
func (s *seenSet) len() int { return s.n }
