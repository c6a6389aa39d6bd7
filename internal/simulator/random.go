package simulator

import "math/bits"

// A stream is a sequence of pseudo-random numbers (splitmix64). It is written
// out here because the books must stay the same for a seed, whatever the
// standard library does.
type stream uint64

func (s *stream) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	return mix(uint64(*s))
}

// below returns a number from 0 to n-1.
func (s *stream) below(n int64) int64 {
	hi, _ := bits.Mul64(s.next(), uint64(n))
	return int64(hi)
}

// between returns a number from lo to hi, both included.
func (s *stream) between(lo, hi int64) int64 { return lo + s.below(hi-lo+1) }

// chance is true so many times in a thousand.
func (s *stream) chance(perMille int64) bool { return s.below(1000) < perMille }

// fraction returns a number from 0 to just below 1.
func (s *stream) fraction() float64 { return float64(s.next()>>11) / (1 << 53) }

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// hash makes one number of several; their order matters.
func hash(parts ...uint64) uint64 {
	h := uint64(len(parts))
	for _, p := range parts {
		h = mix(h*0x9e3779b97f4a7c15 + mix(p+0x632be59bd9b4e019))
	}
	return h
}

// hashText is FNV-1a.
func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
