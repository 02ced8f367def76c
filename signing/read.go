package signing

import (
	"context"
	"fmt"

	"countersign/pades"
	"countersign/people"
)

// Document of the actor; KindNotFound for anybody else's.
func (s *Service) Document(ctx context.Context, a people.Actor, id DocumentID) (Document, error) {
	if err := s.may(ctx, a, people.ReadOwnDocuments, "document", string(id)); err != nil {
		return Document{}, err
	}
	d, err := s.Store.Document(ctx, a.Person, id)
	return d, ofStore(err)
}

// DocumentsIn are these documents of the actor, in this order; KindNotFound when one is not there,
// or somebody else's.
func (s *Service) DocumentsIn(ctx context.Context, a people.Actor, ids []DocumentID) ([]Document, error) {
	if err := s.may(ctx, a, people.ReadOwnDocuments, "document", ""); err != nil {
		return nil, err
	}
	found, err := s.Store.DocumentsIn(ctx, a.Person, ids)
	if err != nil {
		return nil, ofStore(err)
	}
	by := make(map[DocumentID]Document, len(found))
	for _, d := range found {
		by[d.ID] = d
	}
	all := make([]Document, 0, len(ids))
	for _, id := range ids {
		d, ok := by[id]
		if !ok {
			return nil, fail(codeNotFound, nil)
		}
		all = append(all, d)
	}
	return all, nil
}

// Documents lists the actor's, newest first; next is the cursor of the following page and
// empty at the end. The owner in q does not matter: everybody sees their own.
func (s *Service) Documents(ctx context.Context, a people.Actor, q DocumentQuery) (page []Document, next string, err error) {
	if err := s.may(ctx, a, people.ReadOwnDocuments, "document", ""); err != nil {
		return nil, "", err
	}
	q.Owner = a.Person
	if q.Limit <= 0 || q.Limit > 200 {
		q.Limit = 50
	}
	limit := q.Limit
	q.Limit++
	page, err = s.Store.Documents(ctx, q)
	if err != nil {
		return nil, "", ofStore(err)
	}
	if len(page) > limit {
		page = page[:limit]
		next = page[limit-1].Cursor()
	}
	return page, next, nil
}

// DocumentCounts counts the actor's that are shown, by state, each at most 1000.
func (s *Service) DocumentCounts(ctx context.Context, a people.Actor) (map[DocumentState]int, error) {
	if err := s.may(ctx, a, people.ReadOwnDocuments, "document", ""); err != nil {
		return nil, err
	}
	n, err := s.Store.DocumentCounts(ctx, a.Person)
	return n, ofStore(err)
}

// Open reads the newest released revision of a document: the original and what released
// signatures appended. What was signed and not yet checked is not in it.
func (s *Service) Open(ctx context.Context, a people.Actor, id DocumentID) (*File, int64, Document, error) {
	d, err := s.Document(ctx, a, id)
	if err != nil {
		return nil, 0, d, err
	}
	f, err := s.open(ctx, d)
	if err != nil {
		return nil, 0, d, err
	}
	return f, f.Size(), d, nil
}

func (s *Service) open(ctx context.Context, d Document) (*File, error) {
	if err := readable(d); err != nil {
		return nil, err
	}
	revisions, err := s.released(ctx, d)
	if err != nil {
		return nil, err
	}
	f, err := s.openFile(ctx, d, revisions)
	return f, internal(err)
}

// readable answers why a document has no contents to give.
func readable(d Document) error {
	switch d.State {
	case DocumentReady:
		return nil
	case DocumentRefused:
		return fail(codeRefusedFile, nil)
	case DocumentErased:
		return fail(codeErased, nil)
	case DocumentQuarantined:
		return fail(codeQuarantined, nil)
	}
	return fail(codeNotReady, nil)
}

func (s *Service) released(ctx context.Context, d Document) ([]Revision, error) {
	revisions, err := s.Store.Revisions(ctx, d.ID)
	if err != nil {
		return nil, ofStore(err)
	}
	if len(revisions) < d.Revisions || d.Revisions < 1 {
		return nil, internal(fmt.Errorf("document %s has %d revisions, not %d: %w", d.ID, len(revisions), d.Revisions, ErrCorrupt))
	}
	return revisions[:d.Revisions], nil
}

// Signatures of a document of the actor, oldest first.
func (s *Service) Signatures(ctx context.Context, a people.Actor, id DocumentID) ([]Signature, error) {
	if _, err := s.Document(ctx, a, id); err != nil {
		return nil, err
	}
	all, err := s.Store.SignaturesOf(ctx, id)
	return all, ofStore(err)
}

// NewestSignatures is the last one of each of these documents of the actor, by document; an
// open preparation is always the last. Those of others are not in it.
func (s *Service) NewestSignatures(ctx context.Context, a people.Actor, ids []DocumentID) (map[DocumentID]Signature, error) {
	if err := s.may(ctx, a, people.ReadOwnDocuments, "document", ""); err != nil {
		return nil, err
	}
	all, err := s.Store.NewestSignatures(ctx, a.Person, ids)
	if err != nil {
		return nil, ofStore(err)
	}
	by := make(map[DocumentID]Signature, len(all))
	for _, g := range all {
		by[g.Document] = g
	}
	return by, nil
}

// Check verifies every signature the stored file carries, as anybody else would. It reads
// the whole file.
func (s *Service) Check(ctx context.Context, a people.Actor, id DocumentID) (pades.Result, error) {
	f, _, _, err := s.Open(ctx, a, id)
	if err != nil {
		return pades.Result{}, err
	}
	defer f.Close()
	result, err := s.verify(ctx, f)
	return result, internal(err)
}

func (s *Service) verify(ctx context.Context, f *File) (pades.Result, error) {
	return pades.Verify(ctx, f, f.Size(), pades.VerifyOptions{Roots: s.Roots, Now: s.Now()})
}

// Notices are codes of what is worth knowing before signing, see pades.Report.
func (s *Service) Notices(ctx context.Context, a people.Actor, id DocumentID) ([]string, error) {
	f, _, _, err := s.Open(ctx, a, id)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	report, err := pades.Inspect(f, f.Size())
	if err != nil {
		return nil, internal(fmt.Errorf("inspect document %s: %w", id, err))
	}
	return report.Notices, nil
}

// Ceremony of the actor with its signatures, in the order they were prepared.
func (s *Service) Ceremony(ctx context.Context, a people.Actor, id CeremonyID) (Ceremony, []Signature, error) {
	if err := s.may(ctx, a, people.ReadOwnDocuments, "ceremony", string(id)); err != nil {
		return Ceremony{}, nil, err
	}
	return s.ceremony(ctx, a, id)
}

func (s *Service) ceremony(ctx context.Context, a people.Actor, id CeremonyID) (Ceremony, []Signature, error) {
	c, err := s.Store.Ceremony(ctx, a.Person, id)
	if err != nil {
		return Ceremony{}, nil, ofStore(err)
	}
	signatures, err := s.Store.Signatures(ctx, id)
	return c, signatures, ofStore(err)
}
