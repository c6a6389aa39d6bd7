package books

// Held returns how many failures are kept.
func (s *Settled) Held() int {
	n := 0
	for _, row := range s.waiting {
		n += len(row)
	}
	return max(n, len(s.queue), len(s.waiting))
}
