package dtmsim

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238 authenticators use HMAC-SHA-1
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"
)

// totpAt is the six-digit code of a time step (RFC 4226, 5.3; RFC 6238, 4.2).
func totpAt(key []byte, step int64) string {
	m := hmac.New(sha1.New, key)
	_ = binary.Write(m, binary.BigEndian, step) // a hash never fails to write
	sum := m.Sum(nil)
	off := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[off:])&0x7fffffff%1_000_000)
}

func (s *Sim) totpStep() int64 { return s.now().Unix() / int64(totpStep/time.Second) }

// takeTOTP accepts the code of this step or a neighbour, each step once.
func (s *Sim) takeTOTP(u *user, code string) bool {
	now := s.totpStep()
	for step := now - 1; step <= now+1; step++ {
		if step > u.TOTPUsed && subtle.ConstantTimeCompare([]byte(code), []byte(totpAt(u.TOTP, step))) == 1 {
			u.TOTPUsed = step
			return true
		}
	}
	return false
}
