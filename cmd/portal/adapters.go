package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"countersign/audit"
	"countersign/blob"
	"countersign/db"
	"countersign/identity"
	"countersign/pades"
	"countersign/people"
	"countersign/signing"
)

// blobs gives signing its documents' keys by document id; blob knows no documents.
type blobs struct{ store *blob.Store }

func (b blobs) NewKey(d signing.DocumentID) ([]byte, error) { return b.store.NewKey(string(d)) }
func (b blobs) Create(ctx context.Context, d signing.DocumentID, key []byte) (signing.BlobWriter, error) {
	return b.store.Create(ctx, string(d), key)
}
func (b blobs) Open(ctx context.Context, d signing.DocumentID, key []byte, id string) (signing.BlobReader, error) {
	r, err := b.store.Open(ctx, string(d), key, id)
	if err != nil {
		return nil, corrupt(err)
	}
	return blobReader{r}, nil
}
func (b blobs) Remove(ctx context.Context, id string) error { return b.store.Remove(ctx, id) }
func (b blobs) Seal(d signing.DocumentID, key, plain []byte) ([]byte, error) {
	return b.store.Seal(string(d), key, plain)
}
func (b blobs) Unseal(d signing.DocumentID, key, sealed []byte) ([]byte, error) {
	plain, err := b.store.Unseal(string(d), key, sealed)
	return plain, corrupt(err)
}
func (b blobs) Free(ctx context.Context) (int64, error) { return b.store.Free(ctx) }

// blobReader says in signing's words that stored bytes are not what was stored.
type blobReader struct{ *blob.Reader }

func (r blobReader) ReadAt(p []byte, at int64) (int, error) {
	n, err := r.Reader.ReadAt(p, at)
	return n, corrupt(err)
}

func corrupt(err error) error {
	if errors.Is(err, blob.ErrCorrupt) || errors.Is(err, blob.ErrNotFound) {
		return fmt.Errorf("%w: %w", signing.ErrCorrupt, err)
	}
	return err
}

// credentials shows signing what it needs to know of identity's credentials.
type credentials struct{ checks *identity.Service }

func (c credentials) Credential(ctx context.Context, p people.ID, id string) (signing.Credential, error) {
	found, err := c.checks.Credential(ctx, people.Actor{Person: p, Roles: []people.Role{people.Signer}}, identity.CredentialID(id))
	if errors.Is(err, identity.ErrNotFound) {
		return signing.Credential{}, signing.ErrNotFound
	}
	if err != nil {
		return signing.Credential{}, err
	}
	if found.Person != p {
		return signing.Credential{}, signing.ErrNotFound
	}
	return forSigning(found), nil
}

func (c credentials) Fresh(ctx context.Context, id string) (signing.Credential, error) {
	found, err := c.checks.FreshCredential(ctx, identity.CredentialID(id))
	if err != nil {
		return signing.Credential{}, err
	}
	return forSigning(found), nil
}

func forSigning(c identity.Credential) signing.Credential {
	out := signing.Credential{ID: string(c.ID), Name: c.Name, Person: c.Person, Usable: c.State == identity.CredentialActive,
		Retired: !c.RetiredAt.IsZero()}
	if !out.Usable {
		out.Reason = "credential_" + string(c.State)
	}
	return out
}

// auditLog joins the two halves of the log that pages read.
type auditLog struct {
	store   *db.DB
	tree    *audit.Tree
	checker *audit.Checker
}

func (l auditLog) List(ctx context.Context, f audit.Filter) ([]audit.Entry, string, error) {
	return l.store.Audit().List(ctx, f)
}
func (l auditLog) Entry(ctx context.Context, id string) (audit.Entry, error) {
	return l.store.Audit().Entry(ctx, id)
}
func (l auditLog) LastCheckpoint(ctx context.Context) (audit.Checkpoint, error) {
	return l.store.AuditTree().LastCheckpoint(ctx)
}
func (l auditLog) Receipt(ctx context.Context, entries []audit.Entry) (audit.Receipt, error) {
	return l.tree.Receipt(ctx, l.store.AuditTree(), entries)
}
func (l auditLog) LastChecked(ctx context.Context) (*audit.Checked, error) {
	return l.store.AuditTree().LastEnded(ctx)
}
func (l auditLog) State(ctx context.Context) (audit.State, error) {
	return l.tree.State(ctx, l.store.AuditTree())
}
func (l auditLog) Grown(ctx context.Context, older, newer int64) (audit.Grown, error) {
	return l.tree.GrownBetween(ctx, l.store.AuditTree(), older, newer)
}
func (l auditLog) AskCheck(ctx context.Context, by people.Actor) error {
	return l.checker.Ask(ctx, by)
}
func (l auditLog) Export(ctx context.Context, w io.Writer, first int64, flush func()) error {
	return l.tree.Export(ctx, l.store.AuditTree(), w, first, flush)
}
func (l auditLog) Refusals(ctx context.Context, since time.Time) ([]audit.Refusals, error) {
	return l.store.Audit().Refusals(ctx, since)
}

// verifier checks with the configured roots.
type verifier struct{ roots *x509.CertPool }

func (v verifier) Verify(ctx context.Context, r io.ReaderAt, size int64) (pades.Result, error) {
	return pades.Verify(ctx, r, size, pades.VerifyOptions{Roots: v.roots})
}

// readRoots reads PEM certificates; no path means no roots, and then nothing is trusted.
func readRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New(filepath.Base(path) + " holds no certificate in PEM")
	}
	return pool, nil
}
