package signing_test

import (
	"context"
	"crypto"
	"errors"
	"sync"
	"time"

	"countersign/dtmclient"
	"countersign/people"
	"countersign/signing"
)

// dying wraps every part of the outside and counts the calls. At the n-th it does what
// its mode says; a process that was killed makes no call after that, in any goroutine.
type dying struct {
	mode mode
	n    int
	only string // calls of this kind alone are counted; empty: all

	mu   sync.Mutex
	made int
	dead bool
}

type mode int

const (
	killBefore mode = iota // kill -9 before the call
	killAfter              // kill -9 when the call has taken effect and nobody heard of it
	failBefore             // the call fails once, without effect
	failAfter              // the call takes effect and tells of an error
)

var errTrouble = errors.New("trouble that the test made")

type killed struct{}

// call runs f, or not.
func (d *dying) call(f func() error) error { return d.callOf("", f) }

func (d *dying) callOf(kind string, f func() error) error {
	d.mu.Lock()
	now := false
	if d.only == kind || d.only == "" {
		d.made++
		now = d.made == d.n
	}
	if d.dead || now && d.mode == killBefore {
		d.dead = true
		d.mu.Unlock()
		panic(killed{})
	}
	d.mu.Unlock()
	if now && d.mode == failBefore {
		return errTrouble
	}
	err := f()
	if now && d.mode == killAfter {
		d.mu.Lock()
		d.dead = true
		d.mu.Unlock()
		panic(killed{})
	}
	if now && d.mode == failAfter {
		return errors.Join(errTrouble, err)
	}
	return err
}

// reached reports whether the n-th call was made.
func (d *dying) reached() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.made >= d.n
}

// survive runs f up to the kill.
func survive(f func()) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
		}
	}()
	f()
}

func (d *dying) wrap(o *signing.Options) {
	o.Store, o.Remote, o.Blobs, o.Credentials = dyingStore{d, o.Store}, dyingRemote{d, o.Remote}, dyingBlobs{d, o.Blobs}, dyingCredentials{d, o.Credentials}
	if o.Builder != nil {
		o.Builder = dyingBuilder{d, o.Builder}
	}
}

// dyingBuilder's calls are a kind of their own.
type dyingBuilder struct {
	d *dying
	b signing.Builder
}

func (x dyingBuilder) Hashes(ctx context.Context, p dtmclient.ToPrepare) (v dtmclient.Prepared, err error) {
	err = x.d.callOf("builder", func() (err error) { v, err = x.b.Hashes(ctx, p); return err })
	return v, err
}

func (x dyingBuilder) Signatures(ctx context.Context, id, level string, g []dtmclient.NamedSignature) (v []dtmclient.Built, err error) {
	err = x.d.callOf("builder", func() (err error) { v, err = x.b.Signatures(ctx, id, level, g); return err })
	return v, err
}

func get[T any](d *dying, f func() (T, error)) (v T, err error) {
	err = d.call(func() (err error) { v, err = f(); return err })
	return v, err
}

type dyingStore struct {
	d *dying
	s signing.Store
}

func (x dyingStore) Apply(ctx context.Context, c signing.Change) error {
	return x.d.call(func() error { return x.s.Apply(ctx, c) })
}
func (x dyingStore) Document(ctx context.Context, o people.ID, id signing.DocumentID) (signing.Document, error) {
	return get(x.d, func() (signing.Document, error) { return x.s.Document(ctx, o, id) })
}
func (x dyingStore) Checks(ctx context.Context, id signing.CeremonyID) ([]signing.Check, error) {
	return get(x.d, func() ([]signing.Check, error) { return x.s.Checks(ctx, id) })
}
func (x dyingStore) DocumentsIn(ctx context.Context, o people.ID, ids []signing.DocumentID) ([]signing.Document, error) {
	return x.s.DocumentsIn(ctx, o, ids)
}
func (x dyingStore) Documents(ctx context.Context, q signing.DocumentQuery) ([]signing.Document, error) {
	return x.s.Documents(ctx, q)
}
func (x dyingStore) DocumentCounts(ctx context.Context, o people.ID) (map[signing.DocumentState]int, error) {
	return x.s.DocumentCounts(ctx, o)
}
func (x dyingStore) Person(ctx context.Context, id people.ID) (people.Person, error) {
	return get(x.d, func() (people.Person, error) { return x.s.Person(ctx, id) })
}
func (x dyingStore) Usage(ctx context.Context, o people.ID) (int64, int, error) {
	return x.s.Usage(ctx, o)
}
func (x dyingStore) Revisions(ctx context.Context, id signing.DocumentID) ([]signing.Revision, error) {
	return get(x.d, func() ([]signing.Revision, error) { return x.s.Revisions(ctx, id) })
}
func (x dyingStore) Ceremony(ctx context.Context, o people.ID, id signing.CeremonyID) (signing.Ceremony, error) {
	return get(x.d, func() (signing.Ceremony, error) { return x.s.Ceremony(ctx, o, id) })
}
func (x dyingStore) Consent(ctx context.Context, state []byte) (signing.Consent, error) {
	return get(x.d, func() (signing.Consent, error) { return x.s.Consent(ctx, state) })
}
func (x dyingStore) Signatures(ctx context.Context, id signing.CeremonyID) ([]signing.Signature, error) {
	return get(x.d, func() ([]signing.Signature, error) { return x.s.Signatures(ctx, id) })
}
func (x dyingStore) Signature(ctx context.Context, id signing.SignatureID) (signing.Signature, error) {
	return get(x.d, func() (signing.Signature, error) { return x.s.Signature(ctx, id) })
}
func (x dyingStore) SignaturesOf(ctx context.Context, id signing.DocumentID) ([]signing.Signature, error) {
	return get(x.d, func() ([]signing.Signature, error) { return x.s.SignaturesOf(ctx, id) })
}
func (x dyingStore) NewestSignatures(ctx context.Context, owner people.ID, ids []signing.DocumentID) ([]signing.Signature, error) {
	return get(x.d, func() ([]signing.Signature, error) { return x.s.NewestSignatures(ctx, owner, ids) })
}
func (x dyingStore) OpenCeremony(ctx context.Context, id signing.DocumentID) (signing.Ceremony, error) {
	return get(x.d, func() (signing.Ceremony, error) { return x.s.OpenCeremony(ctx, id) })
}
func (x dyingStore) Extension(ctx context.Context, id signing.DocumentID) (signing.Extension, error) {
	return get(x.d, func() (signing.Extension, error) { return x.s.Extension(ctx, id) })
}
func (x dyingStore) AtStake(ctx context.Context, credential string) (signing.AtStake, error) {
	return x.s.AtStake(ctx, credential)
}
func (x dyingStore) ForgetOld(ctx context.Context, before time.Time) (int, error) {
	return x.s.ForgetOld(ctx, before)
}
func (x dyingStore) Overdue(ctx context.Context, now time.Time, n int) (signing.Overdue, error) {
	return get(x.d, func() (signing.Overdue, error) { return x.s.Overdue(ctx, now, n) })
}

type dyingRemote struct {
	d *dying
	r signing.Remote
}

func (x dyingRemote) CredentialInfo(ctx context.Context, id string) (dtmclient.CredentialInfo, error) {
	return get(x.d, func() (dtmclient.CredentialInfo, error) { return x.r.CredentialInfo(ctx, id) })
}
func (x dyingRemote) SendOTP(ctx context.Context, id, data string) error {
	return x.d.call(func() error { return x.r.SendOTP(ctx, id, data) })
}
func (x dyingRemote) Authorize(ctx context.Context, a dtmclient.Authorization) (dtmclient.SAD, error) {
	return get(x.d, func() (dtmclient.SAD, error) { return x.r.Authorize(ctx, a) })
}
func (x dyingRemote) CodeURL(ctx context.Context, q dtmclient.CodeRequest) (string, error) {
	return get(x.d, func() (string, error) { return x.r.CodeURL(ctx, q) })
}
func (x dyingRemote) ExchangeCode(ctx context.Context, q dtmclient.CodeRequest, secret, code dtmclient.Secret) (dtmclient.Tokens, error) {
	return get(x.d, func() (dtmclient.Tokens, error) { return x.r.ExchangeCode(ctx, q, secret, code) })
}
func (x dyingRemote) SignHash(ctx context.Context, h dtmclient.HashesToSign) ([][]byte, error) {
	return get(x.d, func() ([][]byte, error) { return x.r.SignHash(ctx, h) })
}
func (x dyingRemote) ExtendTransaction(ctx context.Context, id string, sad dtmclient.Secret, hashes [][]byte) (dtmclient.SAD, error) {
	return get(x.d, func() (dtmclient.SAD, error) { return x.r.ExtendTransaction(ctx, id, sad, hashes) })
}
func (x dyingRemote) Timestamp(ctx context.Context, digest []byte, h crypto.Hash, nonce []byte) ([]byte, error) {
	return get(x.d, func() ([]byte, error) { return x.r.Timestamp(ctx, digest, h, nonce) })
}

type dyingCredentials struct {
	d *dying
	c signing.Credentials
}

func (x dyingCredentials) Credential(ctx context.Context, p people.ID, id string) (signing.Credential, error) {
	return get(x.d, func() (signing.Credential, error) { return x.c.Credential(ctx, p, id) })
}
func (x dyingCredentials) Fresh(ctx context.Context, id string) (signing.Credential, error) {
	return get(x.d, func() (signing.Credential, error) { return x.c.Fresh(ctx, id) })
}

type dyingBlobs struct {
	d *dying
	b signing.Blobs
}

func (x dyingBlobs) NewKey(id signing.DocumentID) ([]byte, error) {
	return get(x.d, func() ([]byte, error) { return x.b.NewKey(id) })
}
func (x dyingBlobs) Create(ctx context.Context, id signing.DocumentID, key []byte) (signing.BlobWriter, error) {
	w, err := get(x.d, func() (signing.BlobWriter, error) { return x.b.Create(ctx, id, key) })
	return dyingWriter{x.d, w}, err
}
func (x dyingBlobs) Open(ctx context.Context, doc signing.DocumentID, key []byte, id string) (signing.BlobReader, error) {
	r, err := get(x.d, func() (signing.BlobReader, error) { return x.b.Open(ctx, doc, key, id) })
	if err != nil {
		if r != nil {
			_ = r.Close()
		}
		return nil, err
	}
	return dyingReader{r, x.d}, nil
}
func (x dyingBlobs) Remove(ctx context.Context, id string) error {
	return x.d.call(func() error { return x.b.Remove(ctx, id) })
}
func (x dyingBlobs) Seal(id signing.DocumentID, key, plain []byte) ([]byte, error) {
	return get(x.d, func() ([]byte, error) { return x.b.Seal(id, key, plain) })
}
func (x dyingBlobs) Unseal(id signing.DocumentID, key, sealed []byte) ([]byte, error) {
	return get(x.d, func() ([]byte, error) { return x.b.Unseal(id, key, sealed) })
}
func (x dyingBlobs) Free(ctx context.Context) (int64, error) { return x.b.Free(ctx) }

type dyingWriter struct {
	d *dying
	w signing.BlobWriter
}

func (x dyingWriter) Write(p []byte) (int, error) {
	return get(x.d, func() (int, error) { return x.w.Write(p) })
}
func (x dyingWriter) Commit() (string, error) {
	return get(x.d, x.w.Commit)
}
func (x dyingWriter) Abort() error { return x.w.Abort() }

// dyingReader counts only what is opened: the many small reads of one file are alike.
type dyingReader struct {
	signing.BlobReader
	d *dying
}
