package signing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"
	"hash"
	"io"
	"syscall"
	"time"

	"countersign/audit"
	"countersign/people"
)

const (
	block       = 256 << 10 // read and hashed at a time
	reserveStep = 64 << 20  // by which an upload of unknown length claims its place
	beat        = time.Minute
)

// Submit takes in a document: r is read once, hashed and encrypted on the way, and the
// stored bytes are looked at before the call returns. declared is the length the sender
// named, -1 when none; anything else than exactly that is refused, as is the first byte
// past MaxBytes.
//
// An upload that does not arrive whole leaves nothing. One that does and cannot be signed
// (a password, a damaged file) is answered with the error and stays as a refused document
// without contents, so that the person sees what became of it.
func (s *Service) Submit(ctx context.Context, a people.Actor, name string, declared int64, r io.Reader) (Document, error) {
	if err := s.may(ctx, a, people.UploadDocument, "document", ""); err != nil {
		return Document{}, err
	}
	d, err := s.receive(ctx, a, name, declared)
	if err != nil {
		return Document{}, s.refusedUpload(ctx, a, "", err)
	}
	in := &intake{s: s, d: &d, declared: declared, reserved: max(declared, 0), beat: s.now(), hash: sha256.New()}
	first, err := in.take(ctx, r)
	// From here on the sender may be gone: what came whole is kept.
	ctx = context.WithoutCancel(ctx)
	if err != nil {
		s.forget(ctx, d)
		return Document{}, s.refusedUpload(ctx, a, d.ID, err)
	}
	if err := s.received(ctx, a, &d, first); err != nil {
		if d, err = s.afterAll(ctx, d, first, err); err != nil {
			return Document{}, err
		}
	}
	return s.inspect(ctx, a, d)
}

// afterAll looks what became of a change that the store told of trouble with: it may have
// been made all the same, and then the upload is here.
func (s *Service) afterAll(ctx context.Context, d Document, first Revision, why error) (Document, error) {
	stored, err := s.Store.Document(ctx, d.Owner, d.ID)
	switch {
	case err == nil && stored.State == DocumentChecking:
		return stored, nil
	case err != nil && !errors.Is(err, ErrNotFound):
		return d, ofStore(why) // not known: the sweep and the blobs' own sweep tidy up
	}
	s.removeBlob(ctx, first.Blob)
	s.forget(ctx, d)
	return d, ofStore(why)
}

func (s *Service) refusedUpload(ctx context.Context, a people.Actor, id DocumentID, err error) error {
	var f *Error
	if !errors.As(err, &f) || f.Kind == KindInternal {
		return internal(err)
	}
	return s.refused(context.WithoutCancel(ctx), a, audit.Entry{Action: "document.submit", Object: "document", Subject: string(id)}, err)
}

// receive reserves a row with the size that was named, so that uploads at the same time
// cannot pass the quota together.
func (s *Service) receive(ctx context.Context, a people.Actor, name string, declared int64) (Document, error) {
	switch {
	case declared == 0:
		return Document{}, fail("empty", nil)
	case declared > s.MaxBytes:
		return Document{}, s.tooLarge()
	}
	if err := s.room(ctx, max(declared, 0)); err != nil {
		return Document{}, err
	}
	id, err := s.newID()
	if err != nil {
		return Document{}, err
	}
	key, err := s.Blobs.NewKey(DocumentID(id))
	if err != nil {
		return Document{}, internal(fmt.Errorf("make document key: %w", err))
	}
	t := s.step(a)
	d := Document{ID: DocumentID(id), Owner: a.Person, Name: cleanName(name), Size: max(declared, 0), Key: key, CreatedAt: t.now}
	t.document(&d, DocumentReceiving, t.now.Add(receiveWait), "document.receive")
	t.Quota = s.quotaOf(a.Person)
	t.Attempts = []Attempt{{Action: "document.submit", Subject: string(a.Person), At: t.now}}
	t.Limits = []Limit{{Action: "document.submit", Subject: string(a.Person), Since: t.now.Add(-time.Hour), Max: s.Limits.UploadsPerHour}}
	err = s.applyAt(ctx, PointReceive, t)
	if errors.Is(err, ErrLimited) {
		f := fail(codeTooOften, err)
		f.RetryAfter = 10 * time.Minute
		return Document{}, f
	}
	return d, ofStore(err)
}

func (s *Service) quotaOf(p people.ID) *QuotaCheck {
	return &QuotaCheck{Owner: p, Bytes: s.Quota.Bytes, Files: s.Quota.Files}
}

func (s *Service) tooLarge() error {
	f := fail(codeTooLarge, nil)
	f.Args = map[string]any{"Bytes": s.MaxBytes}
	return f
}

// room keeps a reserve free, so that what is already here can still be signed.
func (s *Service) room(ctx context.Context, more int64) error {
	if s.Reserve < 0 {
		return nil
	}
	free, err := s.Blobs.Free(ctx)
	if err != nil {
		return internal(fmt.Errorf("ask for free space: %w", err))
	}
	if free >= 0 && free-more < s.Reserve {
		return fail(codeNoSpace, fmt.Errorf("%d bytes are free, %d stay in reserve", free, s.Reserve))
	}
	return nil
}

// intake is one upload under way.
type intake struct {
	s        *Service
	d        *Document
	declared int64
	reserved int64 // bytes that the row claims
	n        int64 // bytes that came
	beat     time.Time
	hash     hash.Hash
}

// take streams r into a blob and answers the first revision.
func (in *intake) take(ctx context.Context, r io.Reader) (Revision, error) {
	w, err := in.s.Blobs.Create(ctx, in.d.ID, in.d.Key)
	if err != nil {
		return Revision{}, noSpace(fmt.Errorf("create blob: %w", err))
	}
	if err := in.copy(ctx, w, r); err != nil {
		return Revision{}, errors.Join(err, w.Abort())
	}
	state, err := in.s.sealState(*in.d, in.hash)
	if err != nil {
		return Revision{}, errors.Join(err, w.Abort())
	}
	id, err := in.s.commitAt(PointUpload, w)
	if err != nil {
		return Revision{}, noSpace(fmt.Errorf("commit blob: %w", err))
	}
	return Revision{Document: in.d.ID, Number: 1, Size: in.n, SHA256: in.hash.Sum(nil), Blob: id, State: state}, nil
}

func (in *intake) copy(ctx context.Context, w io.Writer, r io.Reader) error {
	buf := make([]byte, block)
	for {
		// One byte more than may come is enough to know that there is more.
		want := min(int64(block), in.limit()+1-in.n)
		n, err := fill(r, buf[:want])
		end := err == io.EOF //nolint:errorlint // a reader ends with EOF itself; one that is wrapped is a failure
		if err != nil && !end {
			return fail(codeBrokenOff, err)
		}
		if err := in.accept(ctx, buf[:n]); err != nil {
			return err
		}
		if n > 0 {
			in.hash.Write(buf[:n])
			in.s.Reached(PointBlock, false)
			if _, err := w.Write(buf[:n]); err != nil {
				return noSpace(fmt.Errorf("write blob: %w", err))
			}
			in.s.Reached(PointBlock, true)
		}
		switch {
		case !end:
			continue
		case in.n == 0:
			return fail("empty", nil)
		case in.declared >= 0 && in.n != in.declared:
			return fail(codeLengthMismatch, nil)
		}
		return nil
	}
}

// fill reads until p is full or r has ended. Unlike io.ReadFull it does not confuse that
// with r's own io.ErrUnexpectedEOF, by which a body says that its end is missing.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var some int
		some, err = r.Read(p[n:])
		n += some
	}
	if n == len(p) && err == io.EOF {
		return n, nil
	}
	return n, err
}

func (in *intake) limit() int64 {
	if in.declared >= 0 {
		return in.declared
	}
	return in.s.MaxBytes
}

// accept counts p in, or says why not.
func (in *intake) accept(ctx context.Context, p []byte) error {
	if in.n == 0 && len(p) > 0 {
		if err := sniff(p); err != nil {
			return err
		}
	}
	in.n += int64(len(p))
	switch {
	case in.n > in.s.MaxBytes:
		return in.s.tooLarge()
	case in.declared >= 0 && in.n > in.declared:
		return fail(codeLengthMismatch, nil)
	case in.n > in.reserved:
		return in.grow(ctx)
	case in.s.now().Sub(in.beat) > beat:
		return in.renew(ctx, in.reserved)
	}
	return nil
}

// grow claims more for an upload that did not say how long it is: a big step when there is
// room for one, else exactly what came.
func (in *intake) grow(ctx context.Context) error {
	if err := in.s.room(ctx, reserveStep); err != nil {
		return err
	}
	err := in.renew(ctx, min(in.n+reserveStep, in.s.MaxBytes))
	if errors.Is(err, ErrQuota) {
		err = in.renew(ctx, in.n)
	}
	return err
}

func (in *intake) renew(ctx context.Context, size int64) error {
	d := *in.d
	t := in.s.step(people.System("upload"))
	d.Size = size
	t.document(&d, DocumentReceiving, t.now.Add(receiveWait), "")
	t.Topics = nil
	if size > in.reserved {
		t.Quota = in.s.quotaOf(d.Owner)
	}
	if err := in.s.apply(ctx, t); err != nil {
		return ofStore(err)
	}
	*in.d, in.reserved, in.beat = d, size, t.now
	return nil
}

// sniff looks at the beginning. A PDF served from here begins with its header: what stands
// in front of it may be another format to another program.
func sniff(p []byte) error {
	const header = "%PDF-"
	switch i := bytes.Index(p[:min(len(p), 1024+len(header))], []byte(header)); {
	case i == 0:
		return nil
	case i > 0:
		return fail(codeHeaderOffset, nil)
	case len(bytes.TrimSpace(p)) == 0:
		return fail("empty", nil)
	}
	return fail("not_pdf", nil)
}

// noSpace tells a full disk from other trouble.
func noSpace(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fail(codeNoSpace, err)
	}
	return internal(err)
}

// sealState keeps the state of the hash, from which the digest of a longer file goes on.
func (s *Service) sealState(d Document, h hash.Hash) ([]byte, error) {
	m, ok := h.(encoding.BinaryMarshaler)
	if !ok {
		return nil, internal(errors.New("the hash has no state to keep"))
	}
	state, err := m.MarshalBinary()
	if err != nil {
		return nil, internal(fmt.Errorf("keep hash state: %w", err))
	}
	sealed, err := s.Blobs.Seal(d.ID, d.Key, state)
	return sealed, internal(err)
}

// received records the bytes: from here on the document is there.
func (s *Service) received(ctx context.Context, a people.Actor, d *Document, first Revision) error {
	t := s.step(a)
	d.Size, d.SHA256, d.Revisions = first.Size, first.SHA256, 1
	first.CreatedAt = t.now
	t.Revisions = []Revision{first}
	e := t.document(d, DocumentChecking, t.now.Add(checkWait), "document.submit")
	e.Facts = map[string]string{"sha256": fmt.Sprintf("%x", first.SHA256), "bytes": fmt.Sprint(first.Size)}
	return s.applyAt(ctx, PointReceived, t)
}

// forget drops the row of an upload that never arrived. Should that fail, the sweep does it.
func (s *Service) forget(ctx context.Context, d Document) {
	if err := s.Store.Apply(ctx, Change{Forget: []DocumentID{d.ID}, Topics: []string{PersonTopic(d.Owner)}}); err != nil {
		s.Log.WarnContext(ctx, "row of a broken upload is left to the sweep", "document", d.ID, "error", err)
	}
}

// removeBlob is for bytes no row speaks of any more; a failure costs room, nothing else.
func (s *Service) removeBlob(ctx context.Context, id string) {
	if id == "" {
		return
	}
	s.Reached(PointTidy, false)
	if err := s.Blobs.Remove(context.WithoutCancel(ctx), id); err != nil {
		s.Log.WarnContext(ctx, "blob not removed", "blob", id, "error", err)
		return
	}
	s.Reached(PointTidy, true)
}
