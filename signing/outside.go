package signing

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"countersign/dtmclient"
	"countersign/pades"
	"countersign/pades/tsp"
)

// Builder has the structure around a signature made somewhere else; *dtmclient.Client is one.
// Nothing it answers is believed: signed attributes are checked before they are approved, and
// the structure before it is put into a file. Where it gives nothing that can be used, the same
// attributes and the same value are put together here, so a signature is never lost by it.
type Builder interface {
	Hashes(ctx context.Context, p dtmclient.ToPrepare) (dtmclient.Prepared, error)
	Signatures(ctx context.Context, hashesID, level string, signatures []dtmclient.NamedSignature) ([]dtmclient.Built, error)
}

const (
	hashesLife    = time.Hour // of what Hashes gave, where it does not say
	hashesSpare   = time.Minute
	leastForToken = 8 << 10 // bytes; clock services give 3 to 7 KB
	hashesAtOnce  = 3       // more side by side is more than the service likes to be asked
	hashesWait    = 20 * time.Second
	buildWait     = 30 * time.Second

	// theDocument is the one document of a call, by a name that tells nothing. Each has a call of
	// its own: what Hashes gave is good for one Signatures, and every signature is finished by itself.
	theDocument = "document"
)

// outside is what was prepared elsewhere.
type outside struct {
	Hashes string    // id there
	Until  time.Time // it is worth nothing afterwards
}

// builtBy is a fact of the log: whose structure the file carries.
const (
	builtHere  = "countersign"
	builtThere = "dtm"
)

// attributes has the signed attributes of every document made elsewhere and takes them, checked.
func (b *beginning) attributes(ctx context.Context) error {
	if b.s.Builder == nil {
		return nil
	}
	// Who is over a limit has nobody asked; whether they are is decided when it is stored.
	if err := b.s.Store.Apply(ctx, Change{Limits: b.limits(b.s.now())}); errors.Is(err, ErrLimited) {
		return tooOften(err)
	} else if err != nil {
		return ofStore(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := make(chan int)
	errs := make([]error, len(b.prepared))
	var all sync.WaitGroup
	for range min(hashesAtOnce, len(b.prepared)) {
		all.Go(func() {
			for i := range next {
				if errs[i] = safely(func() error { return b.adopt(ctx, &b.prepared[i]) }); errs[i] != nil {
					cancel()
				}
			}
		})
	}
	for i := range b.prepared {
		next <- i
	}
	close(next)
	all.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) { // else it was cancelled for another one's error
			return err
		}
	}
	return errors.Join(errs...)
}

func (b *beginning) adopt(ctx context.Context, p *preparation) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	digest, err := p.MessageDigest()
	if err != nil {
		return internal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, hashesWait)
	defer cancel()
	b.s.Reached(PointHashes, false)
	got, err := b.s.Builder.Hashes(ctx, dtmclient.ToPrepare{CredentialID: b.key.name, Hash: b.key.hash, SignAlgo: b.key.oid, SignParams: b.key.params,
		Format: dtmclient.FormatPAdES, Documents: []dtmclient.NamedHash{{Document: theDocument, Digest: digest}}})
	if err != nil {
		return ofRemote(err)
	}
	b.s.Reached(PointHashes, true)
	if err := adoptFirst(p, got, b.key.hash); err != nil {
		b.s.alarm(ctx, "signed attributes from the signing service were discarded", "ceremony", b.c.ID, "error", err)
		return fail(codeAttributes, err)
	}
	p.Outside = &outside{Hashes: got.ID, Until: b.now.Add(hashesLife)}
	if !got.ExpiresAt.IsZero() && got.ExpiresAt.Before(p.Outside.Until) {
		p.Outside.Until = got.ExpiresAt
	}
	return nil
}

func adoptFirst(p *preparation, got dtmclient.Prepared, h crypto.Hash) error {
	if len(got.Documents) != 1 {
		return fmt.Errorf("attributes of %d documents", len(got.Documents))
	}
	given := got.Documents[0]
	if err := p.Adopt(given.Attributes); err != nil {
		return err
	}
	// The hole was made for attributes of the usual size, and once the key is asked it is too late.
	least := 0
	if p.Stamped {
		least = leastForToken
	}
	if r := room(p.Prepared); r < least {
		return fmt.Errorf("attributes of %d bytes leave %d of the %d that are needed", len(given.Attributes), r, least)
	}
	// It should agree with us about what is to be signed; what is signed is ours in any case.
	sum := h.New()
	sum.Write(given.Attributes)
	if string(sum.Sum(nil)) != string(given.Hash) {
		return errors.New("the digest is not that of the attributes")
	}
	return nil
}

// complete makes the bytes to append: with the structure that was made elsewhere, if there is
// one and it is right, else with our own.
func (s *Service) complete(ctx context.Context, g Signature, d Document, base []Revision, p *preparation) (delta []byte, at time.Time, by string, err error) {
	if s.asksBuilder(g, p) {
		delta, at, err = s.built(ctx, g, d, base, p)
		var w waiting
		switch {
		case err == nil:
			return delta, at, builtThere, nil
		case errors.As(err, &w):
			return nil, at, "", err
		}
		s.Log.WarnContext(ctx, "the signature is put together here", "signature", g.ID, "error", err)
	}
	token, at, err := s.stamp(ctx, p.Prepared, g.Value)
	if err != nil {
		return nil, at, "", err
	}
	delta, err = p.Complete(g.Value, token)
	if err != nil {
		return nil, at, "", fail(codeOwnCheck, err)
	}
	return delta, at, builtHere, nil
}

// asksBuilder reports whether it is the builder's turn: at the first try, and after one that is
// known to have come to nothing there. The sweep counts a try before it makes it, so what broke
// off with its process is not asked for again.
func (s *Service) asksBuilder(g Signature, p *preparation) bool {
	return s.Builder != nil && p.Outside != nil && s.now().Before(p.Outside.Until.Add(-hashesSpare)) &&
		(g.Attempts == 0 || g.Waits == codeWaitBuilder)
}

// built asks the builder for the structure around a value, and checks what it answers.
func (s *Service) built(ctx context.Context, g Signature, d Document, base []Revision, p *preparation) (delta []byte, at time.Time, err error) {
	level := dtmclient.LevelB
	if p.Stamped {
		level = dtmclient.LevelT
	}
	value, err := p.StampDigest(g.Value) // as it stands in a signature: ECDSA as DER
	if err != nil {
		return nil, at, err
	}
	bctx, cancel := context.WithTimeout(ctx, buildWait)
	defer cancel()
	s.Reached(PointBuild, false)
	got, err := s.Builder.Signatures(bctx, p.Outside.Hashes, level, []dtmclient.NamedSignature{{Document: theDocument, Value: value}})
	if err != nil {
		if mayWait(err) {
			return nil, at, waiting{codeWaitBuilder, fmt.Errorf("ask for the signature's structure: %w", err)}
		}
		return nil, at, err
	}
	s.Reached(PointBuild, true)
	if delta, at, err = s.takeBuilt(p, g.Value, value, got); err == nil {
		err = s.rehearse(ctx, g, d, base, p, delta, at)
	}
	if err != nil {
		s.alarm(ctx, "a signature's structure from the signing service was discarded", "signature", g.ID, "error", err)
	}
	return delta, at, err
}

// mayWait reports whether nothing happened and it may go better later.
func mayWait(err error) bool {
	var e *dtmclient.Error
	if !errors.As(err, &e) || e.MayHaveHappened() {
		return false
	}
	return e.Kind == dtmclient.Unreachable || e.Kind == dtmclient.Limited || e.Kind == dtmclient.Unavailable
}

func (s *Service) takeBuilt(p *preparation, raw, value []byte, got []dtmclient.Built) (delta []byte, at time.Time, err error) {
	if len(got) != 1 {
		return nil, at, fmt.Errorf("%d structures", len(got))
	}
	delta, token, err := p.CompleteWith(raw, got[0].CMS)
	if err != nil || token == nil {
		return delta, at, err
	}
	h := crypto.SHA256.New()
	h.Write(value)
	stamp, err := checkToken(token, h.Sum(nil), nil)
	if err != nil {
		return nil, at, err
	}
	if err := s.trustsClock(stamp); err != nil {
		return nil, at, fmt.Errorf("its timestamp: %w", err)
	}
	return delta, stamp.Time, nil
}

// trustsClock holds the clock service of a timestamp that we did not ask for against our roots:
// a file with one that nobody knows is no worse today, and worth less later.
func (s *Service) trustsClock(stamp *tsp.Token) error {
	if s.Roots == nil {
		return nil
	}
	between := x509.NewCertPool()
	for _, c := range stamp.Certificates {
		between.AddCert(c)
	}
	_, err := stamp.Certificate.Verify(x509.VerifyOptions{Roots: s.Roots, Intermediates: between, CurrentTime: stamp.Time, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}})
	return err
}

// rehearse judges the file as it will be judged once it is stored, when it would be too late to
// put another structure in.
func (s *Service) rehearse(ctx context.Context, g Signature, d Document, base []Revision, p *preparation, delta []byte, at time.Time) error {
	f, err := s.openFile(ctx, d, base)
	if err != nil {
		return err
	}
	defer f.Close()
	whole := pades.Join(pades.Part{ReaderAt: f, Size: f.Size()}, pades.Part{ReaderAt: bytes.NewReader(delta), Size: int64(len(delta))})
	result, err := pades.Verify(ctx, whole, f.Size()+int64(len(delta)), pades.VerifyOptions{Roots: s.Roots, Now: s.Now()})
	if err != nil {
		return err
	}
	g.AssembledAt, g.StampedAt = s.now(), at
	_, err = s.judge(result, g, p.Prepared)
	return err
}

// room is what is left for a timestamp token in the hole of a preparation.
func room(p *pades.Prepared) int { return p.HoleLength/2 - 1 - p.Unsigned.Size() }
