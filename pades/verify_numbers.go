package pades

import (
	"iter"
	"math/bits"
)

// numbers is a set of object numbers: a bit for each up to the highest, however many there are.
type numbers struct {
	bits []uint64
	n    int
}

func (s *numbers) has(num int) bool { return num/64 < len(s.bits) && s.bits[num/64]&(1<<(num%64)) != 0 }

func (s *numbers) add(num int) {
	if s.has(num) {
		return
	}
	if more := num/64 + 1 - len(s.bits); more > 0 {
		s.bits = append(s.bits, make([]uint64, more)...)
	}
	s.bits[num/64] |= 1 << (num % 64)
	s.n++
}

// all are the numbers in order.
func (s *numbers) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, word := range s.bits {
			for ; word != 0; word &= word - 1 {
				if !yield(i*64 + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}
