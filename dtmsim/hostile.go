package dtmsim

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// hostile is the mode in which any call may meet trouble. What a call meets depends on the
// seed, on which operation it is and on how many calls of that operation came before it:
// the same seed and the same calls meet the same trouble, whatever else goes on.
type hostile struct {
	seed   uint64
	rate   float64
	counts map[string]uint64 // calls by operation, as the mux names it
	met    int
}

// Hostility is what the hostile mode is set to, and how many calls it has troubled.
type Hostility struct {
	Seed uint64  `json:"seed"`
	Rate float64 `json:"rate"` // between 0 and 1; 0: off
	Met  int     `json:"met"`
}

// defaultHostileRate troubles one call in twenty.
const defaultHostileRate = 0.05

// HostileFault is the Fault of calls that the hostile mode troubled.
const HostileFault = "hostile"

// Hostile starts the hostile mode from the seed's beginning; a rate of 0 ends it. Scripted faults
// go before it. It revokes nothing and lies about no revocation: what it does, a person can
// get over by trying again.
func (s *Sim) Hostile(seed uint64, rate float64) error {
	if rate < 0 || rate > 1 || rate != rate {
		return fmt.Errorf("rate %v: want 0 to 1", rate)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hostile = hostile{seed: seed, rate: rate, counts: map[string]uint64{}}
	return nil
}

// Hostility tells how the hostile mode stands.
func (s *Sim) Hostility() Hostility {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hostility()
}

func (s *Sim) hostility() Hostility { return Hostility{s.hostile.seed, s.hostile.rate, s.hostile.met} }

// draw is the trouble of the next call of an operation, or nil.
func (h *hostile) draw(operation string) *Fault {
	if h.rate == 0 {
		return nil
	}
	h.counts[operation]++
	name := fnv.New64a()
	name.Write([]byte(operation))
	name.Write([]byte{byte(h.counts[operation] >> 24), byte(h.counts[operation] >> 16), byte(h.counts[operation] >> 8), byte(h.counts[operation])})
	rng := rand.New(rand.NewPCG(h.seed, name.Sum64())) //nolint:gosec // drawn again from the same seed, and no secret
	if rng.Float64() >= h.rate {
		return nil
	}
	menu := menuOf(operation)
	f := menu[rng.IntN(len(menu))](rng)
	_, f.Path, _ = strings.Cut(operation, " ")
	f.ID, f.Hits = HostileFault, 1
	f.Name = f.words()
	return &f
}

type dish func(*rand.Rand) Fault

func plain(f Fault) dish { return func(*rand.Rand) Fault { return f } }

func spoiled(how Spoil) dish { return plain(Fault{Effect: string(how)}) }

// between is a time of so many milliseconds.
func between(rng *rand.Rand, from, to int) Duration {
	return Duration(time.Duration(from+rng.IntN(to-from)) * time.Millisecond)
}

// anyCall is what every call may meet.
var anyCall = []dish{
	func(rng *rand.Rand) Fault { return Fault{Delay: between(rng, 20, 800)} },
	plain(Fault{Drop: true}),
	plain(Fault{Drop: true, After: true}),
	plain(Fault{Truncate: true, After: true}),
	func(rng *rand.Rand) Fault { return Fault{Reset: 1 + rng.IntN(60)} },
	func(rng *rand.Rand) Fault { return Fault{Drip: 3000 + rng.IntN(5000)} },
	plain(Fault{Garbage: true}),
	plain(Fault{Garbage: true, After: true}),
	plain(Fault{Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "1"}, Body: `{"error":"temporarily_unavailable","error_description":"Too many requests"}`}),
	plain(Fault{Status: http.StatusServiceUnavailable, Header: map[string]string{"Retry-After": "1"}, Body: "busy", ContentType: "text/plain"}),
	plain(Fault{Status: http.StatusInternalServerError, Body: `{"errors":[{"code":"internal_error","message":"The operation could not be done"}]}`}),
	plain(Fault{Status: http.StatusBadGateway, ContentType: "text/html", Body: "<html><h1>502 Bad Gateway</h1></html>", After: true}),
	plain(Fault{Status: http.StatusGatewayTimeout, ContentType: "text/html", Body: "<html><h1>504 Gateway Time-out</h1></html>", After: true}),
	func(rng *rand.Rand) Fault {
		return Fault{Effect: EffectDate, Shift: between(rng, -7_200_000, 7_200_000)}
	},
}

// some add what only the calls to one place may meet.
var some = map[string][]dish{
	"signatures/signHash": {
		plain(Fault{Effect: EffectBitFlipped}), plain(Fault{Effect: EffectOtherKey}), plain(Fault{Effect: EffectOtherOrder}),
		plain(Fault{Effect: EffectOneTooFew}), plain(Fault{Effect: EffectOneTooMany}), plain(Fault{Effect: EffectSADExpired}),
		plain(Fault{Drop: true, After: true}), plain(Fault{Effect: EffectBitFlipped, Which: 2}),
	},
	"credentials/sendOTP": {plain(Fault{Effect: EffectLost}), func(rng *rand.Rand) Fault { return Fault{Effect: EffectLate, Shift: between(rng, 1000, 60_000)} }},
	"signatures/timestamp": {
		func(rng *rand.Rand) Fault {
			return Fault{Effect: EffectClock, Shift: between(rng, -7_200_000, 7_200_000)}
		},
		plain(Fault{Effect: EffectSpoiled}), plain(Fault{Effect: EffectOtherNonce}), plain(Fault{Effect: EffectOtherHash}),
	},
	"/tsa": {
		func(rng *rand.Rand) Fault {
			return Fault{Effect: EffectClock, Shift: between(rng, -7_200_000, 7_200_000)}
		},
		plain(Fault{Effect: EffectSpoiled}), plain(Fault{Effect: EffectOtherNonce}), plain(Fault{Effect: EffectOtherHash}), plain(Fault{Effect: EffectRejected}),
	},
	"/ocsp":             {plain(Fault{Effect: EffectTryLater}), plain(Fault{Effect: EffectUnknown}), plain(Fault{Effect: EffectStale}), plain(Fault{Effect: EffectSpoiled})},
	"api/v1/hashes":     {spoiled(SpoilDigest), spoiled(SpoilCertificate), spoiled(SpoilAttribute), spoiled(SpoilHash)},
	"api/v1/signatures": {spoiled(SpoilSignature), spoiled(SpoilToken), spoiled(SpoilOversize)},
	"/crl/issuing.crl":  {plain(Fault{Effect: EffectStale}), plain(Fault{Effect: EffectSpoiled})},
}

func menuOf(operation string) []dish {
	for end, more := range some {
		if strings.HasSuffix(operation, end) {
			return append(anyCall[:len(anyCall):len(anyCall)], more...)
		}
	}
	return anyCall
}
